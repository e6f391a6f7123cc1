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
    [TestCase("EXAMPLE.Com", 80, "example.com:80", false)]
    [TestCase("example.com.", 80, "example.com:80", false)]
    [TestCase("xn--bcher-kva.example", 1, "xn--bcher-kva.example:1", false)]
    [TestCase("XN--BCHER-KVA.example.", 1, "xn--bcher-kva.example:1", false)]
    [TestCase("2001:0DB8:0000::0001", 1, "[2001:db8::1]:1", true)]
    [TestCase("2001:db8:0:0:0:0:0:1", 1, "[2001:db8::1]:1", true)]
    [TestCase("[::FFFF:102:304]", 1, "1.2.3.4:1", true)]
    [TestCase("64:ff9b::1.2.3.4", 1, "[64:ff9b::102:304]:1", true)]
    [TestCase("a--b-.example", 1, "a--b-.example:1", false)]
    [TestCase("a_.example", 1, "a_.example:1", false)]
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
    [TestCase("93.184.216.34..")]
    [TestCase(".")]
    [TestCase("..")]
    [TestCase("example.com..")]
    [TestCase(".example.com")]
    [TestCase("a..example")]
    [TestCase(".onion")]
    [TestCase(Valid + "..")]
    [TestCase("a.onion...")]
    [TestCase("example.com:80")]
    [TestCase("[::1]:80")]
    [TestCase("[::1")]
    [TestCase("::1]")]
    [TestCase("[[::1]]")]
    [TestCase("::1/64")]
    [TestCase("fe80::1%1")]
    [TestCase("[1.2.3.4]")]
    [TestCase("::ffff:1.2.3.04x")]
    [TestCase("example%2ecom")]
    [TestCase("a!b.example")]
    [TestCase("a*b.example")]
    [TestCase("_dmarc.example")]
    [TestCase("a.-b.example")]
    [TestCase("example\u3002com", Description = "an ideographic full stop, which IDNA 2003 takes for a dot")]
    [TestCase("\uff45xample.com", Description = "a full-width letter")]
    public void TryCreate_refuses_what_is_no_host(string host) => Assert.That(HostEndPoint.TryCreate(host, 80, out _), Is.False);

    [TestCase("1.2", true)]
    [TestCase("127.1", true)]
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

    /// <summary>RFC 1035, section 2.3.4: 255 octets with all lengths are 253 characters.</summary>
    [TestCase(63, 61, true)]
    [TestCase(63, 62, false)]
    [TestCase(64, 1, false)]
    public void TryCreate_takes_names_that_the_DNS_can_hold(int label, int last, bool expected)
    {
        string name = $"{new string('a', label)}.{new string('b', 63)}.{new string('c', 63)}.{new string('d', last)}";
        Assert.That(HostEndPoint.TryCreate(name, 80, out _), Is.EqualTo(expected));
        Assert.That(HostEndPoint.TryCreate(name + ".", 80, out _), Is.EqualTo(expected));
    }

    [TestCase("bücher.example", "A-labels")]
    [TestCase("a..secret", "empty label")]
    [TestCase("_secret.example", "begins with")]
    [TestCase("me:secret", "not a host name")]
    [TestCase("sec ret", "character")]
    public void TryCreate_says_why_and_repeats_nothing(string host, string why)
    {
        Assert.That(HostEndPoint.TryCreate(host, 80, out _, out string? problem), Is.False);
        Assert.That(problem, Does.Contain(why).And.Not.Contain("secret"));
    }

    [TestCase("Example.COM.", "example.com")]
    [TestCase("[2001:DB8:0::1]", "2001:db8::1")]
    [TestCase("::ffff:192.0.2.1", "192.0.2.1")]
    [TestCase("192.0.2.1.", "192.0.2.1")]
    public void TryCreate_two_spellings_of_one_host_are_equal(string one, string other)
    {
        Assert.That(HostEndPoint.TryCreate(one, 80, out var first) & HostEndPoint.TryCreate(other, 80, out var second), Is.True);
        Assert.That((first, first.Host, first.GetHashCode()), Is.EqualTo((second, other, second.GetHashCode())));
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
    [TestCase("h:000443", null, "h:443")]
    [TestCase("h:000000", null, null)]
    [TestCase("h:99999999999999999999", null, null)]
    [TestCase("H.:443", null, "h:443")]
    [TestCase("[::FFFF:1.2.3.4]:443", null, "1.2.3.4:443")]
    [TestCase("u:p@h", 80, null)]
    [TestCase("[fe80::1%25eth0]:80", null, null)]
    [TestCase("[::1]:80:80", null, null)]
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
    [TestCase("WWW." + Valid + ".", true)]
    [TestCase("2GZYXA5IHM7NSGGFXNU52RCK2VV4RVMDLKIU3ZZUI5DU4XYCLEN53WID.ONION", true)]
    [TestCase("3gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion", false)]
    [TestCase("expyuzz4wqqyqhjn.onion", false)]
    [TestCase("a.onion", false)]
    [TestCase("onion", false)]
    [TestCase("ONION.", false)]
    public void Onion_addresses_are_known_and_checked(string host, bool valid)
    {
        Assert.That(HostEndPoint.TryCreate(host, 80, out var endPoint), Is.True);
        Assert.That(endPoint.IsOnion, Is.True);
        Assert.That(OnionAddress.IsValid(endPoint.Host), Is.EqualTo(valid));
        Assert.That(endPoint.Host, Is.EqualTo(host.TrimEnd('.').ToLowerInvariant()));
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
