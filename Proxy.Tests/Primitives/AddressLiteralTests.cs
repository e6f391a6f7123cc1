using System.Net;
using System.Net.Sockets;
using TorBalancer.Primitives;

namespace TorBalancer.Tests.Primitives;

public class AddressLiteralTests
{
    [TestCase("192.0.2.1", "192.0.2.1")]
    [TestCase("0.0.0.0", "0.0.0.0")]
    [TestCase("255.255.255.255", "255.255.255.255")]
    [TestCase("::", "::")]
    [TestCase("::1", "::1")]
    [TestCase("2001:DB8:0::1", "2001:db8::1")]
    [TestCase("::ffff:192.0.2.1", "192.0.2.1")]
    [TestCase("64:ff9b::192.0.2.1", "64:ff9b::c000:201")]
    [TestCase("0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255")]
    public void Address_is_read(string text, string expected)
    {
        Assert.That(AddressLiteral.TryParse(text, out var address), Is.True);
        Assert.That(address!.ToString(), Is.EqualTo(expected));
        Assert.That(AddressLiteral.TryParseZoned(text, out var zoned) ? zoned : null, Is.EqualTo(address));
    }

    /// <summary>Most of these are addresses to IPAddress.TryParse, and other ones to other programs.</summary>
    [TestCase("")]
    [TestCase("1")]
    [TestCase("1.2")]
    [TestCase("1.2.3")]
    [TestCase("1.2.3.")]
    [TestCase("1.2.3.4.")]
    [TestCase("1.2.3.4.5")]
    [TestCase(".1.2.3")]
    [TestCase("1..2.3")]
    [TestCase("256.1.1.1")]
    [TestCase("1.2.3.1000")]
    [TestCase("01.2.3.4")]
    [TestCase("1.2.3.04")]
    [TestCase("00.0.0.0")]
    [TestCase("0177.0.0.1")]
    [TestCase("0x7f.0.0.1")]
    [TestCase("0x7f000001")]
    [TestCase("017700000001")]
    [TestCase("2130706433")]
    [TestCase(" 1.2.3.4")]
    [TestCase("1.2.3.4 ")]
    [TestCase("+1.2.3.4")]
    [TestCase("1.2.3.4:80")]
    [TestCase("1.2.3.4/32")]
    [TestCase("\u0661.2.3.4", Description = "a digit of Arabic")]
    [TestCase("[::1]")]
    [TestCase("[::1]:80")]
    [TestCase("::1/128")]
    [TestCase("::1 ")]
    [TestCase(":")]
    [TestCase(":::")]
    [TestCase("1::2::3")]
    [TestCase("1:2:3:4:5:6:7")]
    [TestCase("1:2:3:4:5:6:7:8:9")]
    [TestCase("12345::")]
    [TestCase("::1.2.3")]
    [TestCase("::ffff:1.2")]
    [TestCase("::ffff:01.2.3.4")]
    [TestCase("::ffff:0x7f.0.0.1")]
    [TestCase("::1.2.3.4:5")]
    [TestCase("::g")]
    public void What_is_no_address_is_refused(string text)
    {
        Assert.That(AddressLiteral.TryParse(text, out var address), Is.False);
        Assert.That(address, Is.Null);
        Assert.That(AddressLiteral.TryParseZoned(text, out _), Is.False);
    }

    [Test]
    public void Zone_is_an_interface_of_this_machine_and_belongs_to_IPv6_alone()
    {
        Assert.That(AddressLiteral.TryParse("fe80::1%lo", out _), Is.False);
        Assert.That(AddressLiteral.TryParseZoned("fe80::1%7", out var address), Is.True);
        Assert.That((address!.AddressFamily, address.ScopeId), Is.EqualTo((AddressFamily.InterNetworkV6, 7L)));
        foreach (string wrong in (string[])["fe80::1%", "1.2.3.4%1", "%1", "fe80::1%1/64", "fe80::1%1]"])
            Assert.That(AddressLiteral.TryParseZoned(wrong, out _), Is.False, wrong);
    }

    [TestCase("192.0.2.1:80", "192.0.2.1:80")]
    [TestCase("192.0.2.1:0", "192.0.2.1:0")]
    [TestCase("[2001:db8::1]:65535", "[2001:db8::1]:65535")]
    [TestCase("1:80", null)]
    [TestCase("127.1:80", null)]
    [TestCase("0x7f.0.0.1:80", null)]
    [TestCase("192.0.2.1", null)]
    [TestCase("192.0.2.1:", null)]
    [TestCase("192.0.2.1:65536", null)]
    [TestCase("192.0.2.1:+80", null)]
    [TestCase("2001:db8::1:80", null)]
    [TestCase("[2001:db8::1]", null)]
    [TestCase("[192.0.2.1]:80", null)]
    [TestCase("[2001:db8::1]80", null)]
    [TestCase("[]:80", null)]
    [TestCase(":80", null)]
    [TestCase("localhost:80", null)]
    public void End_point_is_an_address_and_a_port(string text, string? expected)
    {
        Assert.That(AddressLiteral.TryParseEndPoint(text, out var endPoint), Is.EqualTo(expected is not null));
        Assert.That(endPoint?.ToString(), Is.EqualTo(expected));
    }

    /// <summary>Whatever the text is made of: what is taken is written the same way by the framework, and read the same.</summary>
    [Test]
    public void What_is_taken_is_what_others_read()
    {
        var random = new Random(5);
        const string signs = "0123456789abcdefx.:%[]/ ";
        for (int i = 0; i < 200_000; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 18)).Select(_ => signs[random.Next(signs.Length)]));
            if (!AddressLiteral.TryParse(text, out var address))
                continue;
            Assert.That(IPAddress.Parse(text) is { IsIPv4MappedToIPv6: true } mapped ? mapped.MapToIPv4() : IPAddress.Parse(text),
                Is.EqualTo(address), text);
            if (!text.Contains(':'))
                Assert.That(address.ToString(), Is.EqualTo(text));
        }
    }
}
