using System.Net;
using TorBalancer.Testnet.Dns;

namespace TorBalancer.Tests.Testnet.Dns;

public sealed class TestZoneTests
{
    private readonly TestZone _zone = new(IPAddress.Parse("127.0.31.3"));

    [TestCase("origin.test", 1, "127.0.31.3")]
    [TestCase("ORIGIN.Test", 1, "127.0.31.3")]
    [TestCase("any.other.test", 1, "127.0.31.3")]
    [TestCase("ipv4.test", 1, "127.0.31.3")]
    [TestCase("dual.test", 1, "127.0.31.3")]
    [TestCase("dual.test", 28, "::1")]
    [TestCase("ipv6.test", 28, "::1")]
    [TestCase("blocked.test", 1, "127.0.66.66")]
    public void Resolve_existing_name_has_its_address(string name, int type, string address) =>
        Assert.That(_zone.Resolve(name, (DnsType)type), Is.EqualTo(new DnsAnswer(DnsCode.NoError, IPAddress.Parse(address))));

    [TestCase("nx.test", 3)]
    [TestCase("a.nx.test", 3)]
    [TestCase("google.com", 3)]
    [TestCase("origintest", 3)]
    [TestCase("servfail.test", 2)]
    [TestCase("ipv6.test", 0)]
    [TestCase("empty.test", 0)]
    public void Resolve_name_without_address_has_a_code_only(string name, int code) =>
        Assert.That(_zone.Resolve(name, DnsType.A), Is.EqualTo(new DnsAnswer((DnsCode)code)));

    [Test]
    public void Resolve_name_that_ends_like_a_special_one_is_ordinary() =>
        Assert.That(_zone.Resolve("notnx.test", DnsType.A)?.HasRecord, Is.True);

    [Test]
    public void Resolve_silent_name_has_no_answer() => Assert.That(_zone.Resolve("silent.test", DnsType.A), Is.Null);

    [TestCase("3.31.0.127.in-addr.arpa", "origin.test")]
    [TestCase("7.2.0.192.in-addr.arpa", "192-0-2-7.reverse.test")]
    public void Resolve_pointer_has_its_name(string name, string expected) =>
        Assert.That(_zone.Resolve(name, DnsType.Ptr), Is.EqualTo(new DnsAnswer(DnsCode.NoError, Name: expected)));

    [TestCase("2.0.192.in-addr.arpa")]
    [TestCase("999.2.0.192.in-addr.arpa")]
    [TestCase("1.0.0.0.ip6.arpa")]
    public void Resolve_pointer_of_no_address_does_not_exist(string name) =>
        Assert.That(_zone.Resolve(name, DnsType.Ptr), Is.EqualTo(DnsAnswer.NoSuchName));
}
