using TorBalancer.Primitives;

namespace TorBalancer.Tests.Primitives;

public class HostEndPointTests
{
    // From tor's rend-spec-v3 test material and the Tor Project's own site.
    private const string Valid = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    [TestCase("example.com", 80, "example.com:80", false)]
    [TestCase("93.184.216.34", 443, "93.184.216.34:443", true)]
    [TestCase("2001:db8::1", 443, "[2001:db8::1]:443", true)]
    [TestCase("[2001:DB8::1]", 443, "[2001:db8::1]:443", true)]
    [TestCase("::ffff:1.2.3.4", 1, "1.2.3.4:1", true)]
    [TestCase("1.2", 1, "1.2:1", false)]
    [TestCase("0x7f.0.0.1", 1, "0x7f.0.0.1:1", false)]
    [TestCase("010.0.0.1", 1, "010.0.0.1:1", false)]
    [TestCase("93.184.216.34.", 443, "93.184.216.34:443", true)]
    [TestCase("93.184.216.34..", 443, "93.184.216.34..:443", false)]
    [TestCase("xn--bcher-kva.example", 1, "xn--bcher-kva.example:1", false)]
    [TestCase("under_score.example", 1, "under_score.example:1", false)]
    public void TryCreate_tells_literals_from_names(string host, int port, string text, bool literal)
    {
        Assert.That(HostEndPoint.TryCreate(host, port, out var endPoint), Is.True);
        Assert.That(endPoint.ToString(), Is.EqualTo(text));
        Assert.That(endPoint.Address is not null, Is.EqualTo(literal));
    }

    [TestCase("")]
    [TestCase("a b")]
    [TestCase("a\0b")]
    [TestCase("a/b")]
    [TestCase("user@host")]
    [TestCase("fe80::1%eth0")]
    [TestCase("[example.com]")]
    [TestCase("bücher.example")]
    [TestCase("2001:db8::1.")]
    public void TryCreate_refuses_what_is_no_host(string host) => Assert.That(HostEndPoint.TryCreate(host, 80, out _), Is.False);

    [TestCase("1.2", true)]
    [TestCase("127.1", true)]
    [TestCase("127.0.0.1..", true)]
    [TestCase("0177.0.0.1", true)]
    [TestCase("0x7f.1", true)]
    [TestCase("1.0X7F", true)]
    [TestCase("host.0x", true)]
    [TestCase("2130706433", true)]
    [TestCase("2130706433.", true)]
    [TestCase("256.256.256.256", true)]
    [TestCase("example.1", true)]
    [TestCase("127.0.0.1", false)]
    [TestCase("127.0.0.1.", false)]
    [TestCase("::1", false)]
    [TestCase("1.example", false)]
    [TestCase("163.com", false)]
    [TestCase("4chan", false)]
    [TestCase("0xg", false)]
    [TestCase("a.0x7f.example", false)]
    [TestCase("1-1", false)]
    public void IsNumber_knows_names_that_some_programs_read_as_an_address(string host, bool expected)
    {
        Assert.That(HostEndPoint.TryCreate(host, 80, out var endPoint), Is.True);
        Assert.That(endPoint.IsNumber, Is.EqualTo(expected));
    }

    [Test]
    public void TryCreate_takes_255_characters_and_not_256()
    {
        Assert.That(HostEndPoint.TryCreate(new string('a', 255), 80, out _), Is.True);
        Assert.That(HostEndPoint.TryCreate(new string('a', 256), 80, out _), Is.False);
    }

    [TestCase("h:443", null, "h:443")]
    [TestCase("[::1]:443", null, "[::1]:443")]
    [TestCase("h", 80, "h:80")]
    [TestCase("h:", 80, "h:80")]
    [TestCase("[::1]", 80, "[::1]:80")]
    [TestCase("h", null, null)]
    [TestCase("h:", null, null)]
    [TestCase("h:0", null, null)]
    [TestCase("h:65536", null, null)]
    [TestCase("h:+1", null, null)]
    [TestCase("::1:443", null, null)]
    [TestCase("[::1", 80, null)]
    [TestCase("[::1]x", 80, null)]
    [TestCase(":80", null, null)]
    public void TryParseAuthority_follows_the_authority_form(string text, int? defaultPort, string? expected)
    {
        bool parsed = HostEndPoint.TryParseAuthority(text, defaultPort, out var endPoint);
        Assert.That(parsed ? endPoint.ToString() : null, Is.EqualTo(expected));
    }

    [TestCase(Valid, true)]
    [TestCase("www." + Valid, true)]
    [TestCase(Valid + ".", true)]
    [TestCase(Valid + "..", false)]
    [TestCase("a.onion...", false)]
    [TestCase("2GZYXA5IHM7NSGGFXNU52RCK2VV4RVMDLKIU3ZZUI5DU4XYCLEN53WID.ONION", true)]
    [TestCase("3gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion", false)]
    [TestCase("expyuzz4wqqyqhjn.onion", false)]
    [TestCase("a.onion", false)]
    [TestCase("onion", false)]
    public void Onion_addresses_are_known_and_checked(string host, bool valid)
    {
        Assert.That(HostEndPoint.TryCreate(host, 80, out var endPoint), Is.True);
        Assert.That(endPoint.IsOnion, Is.True);
        Assert.That(OnionAddress.IsValid(host), Is.EqualTo(valid));
    }

    [TestCase("onion.example")]
    [TestCase("notonion")]
    [TestCase("1.2.3.4")]
    public void Other_names_are_no_onions(string host)
    {
        Assert.That(HostEndPoint.TryCreate(host, 80, out var endPoint), Is.True);
        Assert.That(endPoint.IsOnion, Is.False);
    }
}
