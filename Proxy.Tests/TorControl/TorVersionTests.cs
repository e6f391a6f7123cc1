using TorBalancer.TorControl;

namespace TorBalancer.Tests.TorControl;

public sealed class TorVersionTests
{
    [TestCase("0.4.9.11", "0.4.9.11")]
    [TestCase("0.4.9.11 (git-0123456789abcdef)", "0.4.9.11")]
    [TestCase("Tor version 0.4.9.11.", "0.4.9.11")]
    [TestCase("0.4.9.4-alpha-dev", "0.4.9.4")]
    [TestCase("Arti 2.1", null)]
    [TestCase("", null)]
    public void TryParse_reads_what_tor_says(string text, string? version) =>
        Assert.That(TorVersion.TryParse(text)?.ToString(), Is.EqualTo(version));

    [TestCase("0.4.7.16", false, true, true)]
    [TestCase("0.4.8.1-alpha", true, true, true)]
    [TestCase("0.4.9.11", true, true, true)]
    [TestCase("0.4.9.12", false, true, true)]
    [TestCase("0.4.9.13", false, false, false)]
    [TestCase("0.5.0.1-alpha", false, false, false)]
    public void Faults_are_of_their_releases(string version, bool conflux, bool onion, bool end)
    {
        var known = TorVersion.TryParse(version)!.Value;
        Assert.That(TorFault.All.Select(fault => fault.Has(known)), Is.EqualTo(new[] { conflux, onion, end }));
    }
}
