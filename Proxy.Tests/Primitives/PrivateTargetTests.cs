using System.Net;
using TorBalancer.Primitives;

namespace TorBalancer.Tests.Primitives;

public class PrivateTargetTests
{
    [TestCase("localhost")]
    [TestCase("LocalHost.")]
    [TestCase("a.b.localhost")]
    [TestCase("local")]
    [TestCase("printer.LOCAL.")]
    [TestCase("home.arpa")]
    [TestCase("nas.home.arpa")]
    [TestCase("0.0.0.0")]
    [TestCase("0.1.2.3")]
    [TestCase("10.0.0.1")]
    [TestCase("100.64.0.1")]
    [TestCase("100.127.255.255")]
    [TestCase("127.0.0.1")]
    [TestCase("127.0.0.1.")]
    [TestCase("169.254.1.1")]
    [TestCase("172.16.0.1")]
    [TestCase("172.31.255.255")]
    [TestCase("192.168.1.1")]
    [TestCase("224.0.0.1")]
    [TestCase("240.0.0.1")]
    [TestCase("255.255.255.255")]
    [TestCase("::")]
    [TestCase("::1")]
    [TestCase("0:0:0:0:0:0:0:1")]
    [TestCase("::10.0.0.1", Description = "IPv4-compatible (RFC 4291)")]
    [TestCase("::ffff:127.0.0.1")]
    [TestCase("::FFFF:a00:1")]
    [TestCase("::ffff:0:8.8.8.8", Description = "IPv4-translated (RFC 2765)")]
    [TestCase("64:ff9b::192.168.1.1", Description = "NAT64 (RFC 6052)")]
    [TestCase("64:ff9b:1::808:808", Description = "NAT64 for local use (RFC 8215)")]
    [TestCase("2002:7f00:1::1", Description = "6to4 of 127.0.0.1 (RFC 3056)")]
    [TestCase("fc00::1")]
    [TestCase("fdff::1")]
    [TestCase("fe80::1")]
    [TestCase("febf::1")]
    [TestCase("fec0::1")]
    [TestCase("feff::1")]
    [TestCase("ff02::1")]
    public void IsPrivate_knows_what_no_exit_reaches(string host) => Assert.That(Of(host).IsPrivate, Is.True);

    [TestCase("localhost.example")]
    [TestCase("notlocalhost")]
    [TestCase("mylocal")]
    [TestCase("local.example")]
    [TestCase("arpa")]
    [TestCase("myhome.arpa")]
    [TestCase("origin.test")]
    [TestCase("db.internal", Description = "no RFC reserves it")]
    [TestCase("1.1.1.1")]
    [TestCase("9.255.255.255")]
    [TestCase("11.0.0.1")]
    [TestCase("100.63.255.255")]
    [TestCase("100.128.0.1")]
    [TestCase("126.0.0.1")]
    [TestCase("128.0.0.1")]
    [TestCase("169.253.0.1")]
    [TestCase("172.15.0.1")]
    [TestCase("172.32.0.1")]
    [TestCase("192.167.0.1")]
    [TestCase("192.169.0.1")]
    [TestCase("198.51.100.1")]
    [TestCase("223.255.255.255")]
    [TestCase("::ffff:8.8.8.8")]
    [TestCase("64:ff9b::8.8.8.8")]
    [TestCase("2002:808:808::1")]
    [TestCase("2001:db8::1")]
    [TestCase("2606:4700::1111")]
    [TestCase("fbff::1")]
    [TestCase("fe7f::1")]
    public void IsPrivate_leaves_all_else_to_the_exits(string host) => Assert.That(Of(host).IsPrivate, Is.False);

    [TestCase("10.0.0.0/8", true)]
    [TestCase("10.192.0.0/10", true)]
    [TestCase("127.0.0.1/32", true)]
    [TestCase("192.168.0.0/16", true)]
    [TestCase("fc00::/7", true)]
    [TestCase("::1/128", true)]
    [TestCase("0.0.0.0/0", false, Description = "both its ends are private")]
    [TestCase("192.0.0.0/8", false)]
    [TestCase("172.0.0.0/8", false)]
    [TestCase("::/0", false)]
    [TestCase("::/1", false)]
    [TestCase("2000::/3", false)]
    public void IsNoneIn_tells_networks_of_private_addresses_only(string network, bool expected) =>
        Assert.That(PublicAddress.IsNoneIn(IPNetwork.Parse(network)), Is.EqualTo(expected));

    private static HostEndPoint Of(string host)
    {
        Assert.That(HostEndPoint.TryCreate(host, 80, out var endPoint), Is.True);
        return endPoint;
    }
}
