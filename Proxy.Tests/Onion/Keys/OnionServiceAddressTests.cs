using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Keys;

public class OnionServiceAddressTests
{
    private static readonly string Good = OnionVectors.Balanced.Text("address");

    [Test]
    public void TryParse_takes_an_address_in_each_spelling()
    {
        foreach (string text in new[] { Good, Good[..^6], Good.ToUpperInvariant() })
        {
            Assert.That(OnionServiceAddress.TryParse(text, out var address, out string? error), Is.True, error);
            Assert.That((address.ToString(), address.Label), Is.EqualTo((Good, Good[..^6])));
        }
    }

    [Test]
    public void TryParse_says_what_is_wrong()
    {
        char other = Good[5] == 'a' ? 'b' : 'a';
        Assert.Multiple(() =>
        {
            Assert.That(Error(""), Does.Contain("56 letters and digits before .onion, not 0"));
            Assert.That(Error("expyuzz4wqqyqhjn.onion"), Does.Contain("not 16"));
            Assert.That(Error("www." + Good), Does.Contain("not 60"));
            Assert.That(Error(Good[..5] + other + Good[6..]), Does.Contain("checksum"));
            Assert.That(Error("0" + Good[1..]), Does.Contain("a letter is wrong"));
        });
    }

    private static string? Error(string text) => OnionServiceAddress.TryParse(text, out _, out string? error) ? null : error;
}
