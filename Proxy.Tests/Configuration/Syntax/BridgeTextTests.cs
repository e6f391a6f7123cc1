using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Tests.Configuration.Syntax;

public sealed class BridgeTextTests
{
    private const string Print = "0123456789ABCDEF0123456789abcdef01234567";

    [TestCase("192.0.2.7:443", null)]
    [TestCase("192.0.2.7", null, Description = "tor takes 443")]
    [TestCase("Bridge 192.0.2.7:443 " + Print, null)]
    [TestCase("[2001:db8::7]:443 " + Print, null)]
    [TestCase("[2001:db8::7]", null)]
    [TestCase("192.0.2.7:443 0123 4567 89AB CDEF 0123 4567 89ab cdef 0123 4567", null)]
    [TestCase("conjure 192.0.2.7:80 url=https://r.example/api fronts=a.example,b.example transport=min", "conjure")]
    [TestCase("obfs4 192.0.2.7:443 " + Print + " cert=abc/+ iat-mode=0", "obfs4")]
    [TestCase("  bridge\tobfs4  192.0.2.7:443 cert=a iat-mode=1 ", "obfs4")]
    [TestCase("snowflake 192.0.2.3:80 " + Print + " fingerprint=" + Print + " url=https://s.example/ fronts=a.example,b.example "
        + "ice=stun:s:1,stun:t:2", "snowflake")]
    [TestCase("webtunnel [2001:db8::1]:443 " + Print + " url=https://w.example/x ver=0.0.1", "webtunnel")]
    public void TryParse_takes_what_tor_takes(string line, string? transport)
    {
        Assert.That(BridgeText.TryParse(line, out var bridge), Is.Null);
        Assert.That(bridge.Transport, Is.EqualTo(transport));
        string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        Assert.That(
            bridge.Text,
            Is.EqualTo(string.Join(' ', words.Where(static word => !word.Equals("bridge", StringComparison.OrdinalIgnoreCase)))));
    }

    [TestCase("", "names no bridge")]
    [TestCase("Bridge", "names no bridge")]
    [TestCase("obfs4", "has no address behind the transport obfs4")]
    [TestCase("9fs 192.0.2.7:443", "neither an address nor the name of a transport")]
    [TestCase("bridge.example:443", "has the address \"bridge.example:443\"; a bridge is given by an IPv4 address")]
    [TestCase("1.2:443", "has the address \"1.2:443\"")]
    [TestCase("0x7f.0.0.1:443", "has the address \"0x7f.0.0.1:443\"")]
    [TestCase("192.0.2.07:443", "has the address \"192.0.2.07:443\"")]
    [TestCase("[::ffff:1.2]:443", "has the address")]
    [TestCase("2001:db8::7", "IPv6 address in brackets")]
    [TestCase("[192.0.2.7]:443", "has the address")]
    [TestCase("[2001:db8::7:443", "whose brackets do not fit")]
    [TestCase("192.0.2.7:0", "whose port is none")]
    [TestCase("192.0.2.7:65536", "whose port is none")]
    [TestCase("192.0.2.7:443 ABC", "has \"ABC\" where the fingerprint stands, which is 40 hexadecimal digits")]
    [TestCase("192.0.2.7:443 0123 4567", "has \"01234567\" where the fingerprint stands")]
    [TestCase("obfs4 192.0.2.7:443 " + Print + " " + Print + " cert=a iat-mode=0", "at its end, where only key=value may stand")]
    [TestCase("192.0.2.7:443 $" + Print, "where the fingerprint stands")]
    [TestCase("obfs4 192.0.2.7:443 " + Print + " iat-mode=0", "lacks cert=, which obfs4 needs")]
    [TestCase("obfs4 192.0.2.7:443 " + Print + " cert=a", "lacks iat-mode=, which obfs4 needs")]
    [TestCase("obfs4 192.0.2.7:443 " + Print + " cert=a nonsense iat-mode=0",
        "has \"nonsense\" at its end, where only key=value may stand")]
    [TestCase("192.0.2.7:443 " + Print + " cert=a", "names no transport")]
    [TestCase("obfs4 192.0.2.7:443 cert=a#b iat-mode=0", "holds the character #")]
    [TestCase("obfs4 192.0.2.7:443 cert=\"a\" iat-mode=0", "which no bridge line has")]
    public void TryParse_says_what_is_wrong(string line, string says) => Assert.That(BridgeText.TryParse(line, out _), Does.Contain(says));

    [Test]
    public void ParseFile_passes_over_comments_and_names_the_line()
    {
        var (bridges, problem) = BridgeText.ParseFile("# mine\r\n\r\n192.0.2.7:443\r\n  obfs4 192.0.2.8:1 cert=a iat-mode=0\n");
        Assert.That(problem, Is.Null);
        Assert.That(
            bridges,
            Is.EqualTo(new[]
            {
                new BridgeLine("192.0.2.7:443", null, 3), new BridgeLine("obfs4 192.0.2.8:1 cert=a iat-mode=0", "obfs4", 4),
            }));
        Assert.That(BridgeText.ParseFile("192.0.2.7:443\n\n192.0.2.7:x\n").Problem, Does.StartWith("line 3 has the address"));
        Assert.That(BridgeText.ParseFile("# none\n").Problem, Is.EqualTo("holds no bridge line"));
    }
}
