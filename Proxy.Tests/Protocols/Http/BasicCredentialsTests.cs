using System.Text;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Tests.Protocols.Http;

public sealed class BasicCredentialsTests
{
    [TestCase("user", "pass")]
    [TestCase("", "")]
    [TestCase("", "p")]
    [TestCase("u", "")]
    [TestCase("u", "p:q:r")]
    [TestCase("\u00fc\u00ff", "\u0080 \u0001")]
    [TestCase("mode-failover-session-abc", "x")]
    public void TryParse_keeps_every_byte(string user, string password)
    {
        string encoded = Convert.ToBase64String(Encoding.Latin1.GetBytes(user + ":" + password));
        foreach (string value in new[] { "Basic " + encoded, "bAsIc   " + encoded, "Basic " + encoded.TrimEnd('=') })
        {
            Assert.That(BasicCredentials.TryParse(Encoding.ASCII.GetBytes(value), out var credentials), Is.True);
            Assert.That(credentials, Is.EqualTo(new ClientCredentials(user, password)));
        }
    }

    [TestCase("Basic")]
    [TestCase("Basic ")]
    [TestCase("Basic !!!!")]
    [TestCase("Basic YTpi YTpi")]
    [TestCase("Basic YWJj")]
    [TestCase("Basic YTpiY")]
    public void TryParse_unreadable_Basic_is_not_taken_for_none(string value)
    {
        Assert.That(BasicCredentials.TryParse(Encoding.ASCII.GetBytes(value), out var credentials), Is.False);
        Assert.That(credentials, Is.Null);
    }

    [TestCase("Bearer abc")]
    [TestCase("Basics YTpi")]
    [TestCase("")]
    public void TryParse_other_scheme_counts_as_none(string value)
    {
        Assert.That(BasicCredentials.TryParse(Encoding.ASCII.GetBytes(value), out var credentials), Is.True);
        Assert.That(credentials, Is.Null);
    }

    [Test]
    public void TryParse_overlong_is_refused() =>
        Assert.That(BasicCredentials.TryParse(Encoding.ASCII.GetBytes("Basic " + new string('A', 5000)), out _), Is.False);
}
