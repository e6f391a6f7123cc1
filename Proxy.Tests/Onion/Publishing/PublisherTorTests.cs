using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>What a publisher wants to know of the tor that it connects to.</summary>
public class PublisherTorTests
{
    private const string Fetch = "an assertion in HSFETCH with the name of a relay (mended in 0.4.9.12; the publisher never names one)",
        Introduction = "introductions to onion services that fail (mended in 0.4.9.14)";

    [TestCase("0.4.8.21", Fetch + ", and " + Introduction)]
    [TestCase("0.4.9.11", Fetch + ", and " + Introduction)]
    [TestCase("0.4.9.11 (git-0123456789abcdef)", Fetch + ", and " + Introduction)]
    [TestCase("0.4.9.12", Introduction)]
    [TestCase("0.4.9.13", Introduction)]
    [TestCase("0.4.9.14", "")]
    [TestCase("0.4.9.14-dev", "")]
    [TestCase("0.4.10.1-alpha", "")]
    [TestCase("0.5.0.1-alpha", "")]
    [TestCase("unknown", "")]
    public void Old_releases_are_told_by_their_faults(string version, string faults) =>
        Assert.That(PublisherTor.FaultsOf(version), Is.EqualTo(faults));

    /// <summary>Of the tor that is installed: the warning, or none, is in the log.</summary>
    [Test, CancelAfter(120_000)]
    public async Task Real_tor_is_warned_of_when_it_is_old(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        await using var client = await ClientTor.StartAsync(network, "", token);
        using var log = new ListLogger();

        await using var tor = await PublisherTor.ConnectAsync(
            new PublisherTorAccess(client.Control, ControlCredentials.None, null, IsOurs: true), log.CreateLogger("publisher"),
            TimeProvider.System, token);

        string faults = PublisherTor.FaultsOf(tor.Version);
        Assert.That(
            log.OfEvent("Old").Select(static one => one.Message),
            Is.EqualTo(faults.Length == 0
                ? Array.Empty<string>()
                : [$"tor {tor.Version} has faults that concern publishers: {faults}. Take 0.4.9.14 or later"]));
    }
}
