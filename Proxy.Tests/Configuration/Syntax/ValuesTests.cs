using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Tests.Configuration.Syntax;

public class ValuesTests
{
    private static readonly ValueContext Context = new("/etc/torbalancer", "/home/ann");

    [TestCase("250ms", 250)]
    [TestCase("90s", 90_000)]
    [TestCase("5m", 300_000)]
    [TestCase("2h", 7_200_000)]
    [TestCase("2 H", 7_200_000)]
    public void Duration_each_unit(string text, int milliseconds) =>
        Assert.That(Good(Values.Duration(TimeSpan.Zero, TimeSpan.FromHours(24)), text),
            Is.EqualTo(TimeSpan.FromMilliseconds(milliseconds)));

    [TestCase("0")]
    [TestCase("off")]
    [TestCase("OFF")]
    public void Duration_off_is_zero_where_allowed(string text)
    {
        var second = TimeSpan.FromSeconds(1);
        Assert.That(Good(Values.Duration(second, TimeSpan.FromHours(1), offIsZero: true), text), Is.EqualTo(TimeSpan.Zero));
        Assert.That(Bad(Values.Duration(second, TimeSpan.FromHours(1)), text), Is.Not.Null);
    }

    [TestCase("", "is not a duration")]
    [TestCase("s", "is not a duration")]
    [TestCase("-1s", "is not a duration")]
    [TestCase("1.5s", "is not a duration")]
    [TestCase("1d", "is not a duration")]
    [TestCase("1m30s", "is not a duration")]
    [TestCase("99999999999s", "is not a duration")]
    [TestCase("999999999h", "is out of range")]
    [TestCase("999ms", "is out of range")]
    [TestCase("3601s", "is out of range")]
    [TestCase("90", "has no unit")]
    public void Duration_wrong_says_why(string text, string expected) =>
        Assert.That(Bad(Values.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), text).What, Is.EqualTo(expected));

    [Test]
    public void Duration_without_unit_suggests_seconds() =>
        Assert.That(Bad(Values.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), "90").Suggestion, Is.EqualTo("90s"));

    [TestCase("64MiB", 64L << 20)]
    [TestCase("2GiB", 2L << 30)]
    [TestCase("65536 kib", 64L << 20)]
    public void Size_each_unit(string text, long bytes) => Assert.That(Good(Values.Size(64L << 20, 64L << 30), text), Is.EqualTo(bytes));

    [TestCase("", "is not a size", null)]
    [TestCase("-1MiB", "is not a size", null)]
    [TestCase("1.5GiB", "is not a size", null)]
    [TestCase("256", "has no unit", "256MiB")]
    [TestCase("256M", "is not a size", "256MiB")]
    [TestCase("256mb", "is not a size", "256MiB")]
    [TestCase("1T", "is not a size", null)]
    [TestCase("63MiB", "is out of range", null)]
    [TestCase("65GiB", "is out of range", null)]
    [TestCase("999999999GiB", "is out of range", null)]
    public void Size_wrong_says_why(string text, string expected, string? suggestion)
    {
        var problem = Bad(Values.Size(64L << 20, 64L << 30), text);
        Assert.That((problem.What, problem.Suggestion), Is.EqualTo((expected, suggestion)));
    }

    [TestCase("yes", true)]
    [TestCase("ON", true)]
    [TestCase("true", true)]
    [TestCase("no", false)]
    [TestCase("off", false)]
    [TestCase("False", false)]
    public void YesNo_each_word(string text, bool expected) => Assert.That(Good(Values.YesNo, text), Is.EqualTo(expected));

    [TestCase("1")]
    [TestCase("y")]
    [TestCase("yess")]
    public void YesNo_others_refused(string text) => Assert.That(Bad(Values.YesNo, text), Is.Not.Null);

    [TestCase("127.0.0.1:1080", "127.0.0.1:1080")]
    [TestCase("localhost:1", "127.0.0.1:1")]
    [TestCase("[::1]:65535", "[::1]:65535")]
    [TestCase("0.0.0.0:0", "0.0.0.0:0")]
    [TestCase("[::ffff:127.0.0.1]:80", "127.0.0.1:80")]
    public void ListenAddress_ip_forms(string text, string expected) =>
        Assert.That(Good(Values.ListenAddress, text).ToString(), Is.EqualTo(expected));

    [Test]
    public void ListenAddress_unix_socket() =>
        Assert.That(((UnixDomainSocketEndPoint)Good(Values.ListenAddress, "unix:/run/a.sock")).ToString(), Is.EqualTo("/run/a.sock"));

    [TestCase("127.0.0.1", "has no port")]
    [TestCase("[::1]", "has no port")]
    [TestCase("::1", "is an IPv6 address without brackets")]
    [TestCase("[::1:80", "has no closing ']'")]
    [TestCase("[::1]x:80", "is not an address with a port")]
    [TestCase("[127.0.0.1]:80", "has a host that is not an IP address (names are not looked up here)")]
    [TestCase("example.org:80", "has a host that is not an IP address (names are not looked up here)")]
    [TestCase("127.1:80", "has a host that is not an IP address (names are not looked up here)")]
    [TestCase("0x7f.0.0.1:80", "has a host that is not an IP address (names are not looked up here)")]
    [TestCase("010.0.0.1:80", "has a host that is not an IP address (names are not looked up here)")]
    [TestCase("127.0.0.1:65536", "has no valid port")]
    [TestCase("127.0.0.1:-1", "has no valid port")]
    [TestCase("127.0.0.1:", "has no valid port")]
    [TestCase(":80", "has a host that is not an IP address (names are not looked up here)")]
    [TestCase("unix:relative", "is not unix: with an absolute path")]
    [TestCase("unix:", "is not unix: with an absolute path")]
    public void ListenAddress_wrong_says_why(string text, string expected) =>
        Assert.That(Bad(Values.ListenAddress, text).What, Is.EqualTo(expected));

    [Test]
    public void ListenAddress_unix_path_of_107_bytes_is_the_longest()
    {
        Assert.That(Good(Values.ListenAddress, "unix:/" + new string('a', 106)), Is.Not.Null);
        Assert.That(Bad(Values.ListenAddress, "unix:/" + new string('a', 107)).What, Does.Contain("107 bytes"));
        Assert.That(Bad(Values.ListenAddress, "unix:/" + new string('ä', 54)).What, Does.Contain("107 bytes"));
    }

    [TestCase("10.0.0.0/8", "10.0.0.0/8")]
    [TestCase("10.1.2.3", "10.1.2.3/32")]
    [TestCase("2001:db8::/32", "2001:db8::/32")]
    [TestCase("::1", "::1/128")]
    [TestCase("0.0.0.0/0", "0.0.0.0/0")]
    [TestCase("::ffff:10.0.0.0/104", "10.0.0.0/8")]
    [TestCase("::ffff:a00:0/104", "10.0.0.0/8")]
    [TestCase("::ffff:0:0/96", "0.0.0.0/0")]
    [TestCase("::ffff:10.1.2.3/128", "10.1.2.3/32")]
    [TestCase("::ffff:10.1.2.3", "10.1.2.3/32")]
    public void Networks_forms(string text, string expected) =>
        Assert.That(Good(Values.Networks, text).Select(network => network.ToString()), Is.EqualTo(new[] { expected }));

    [Test]
    public void Networks_host_bits_suggests_the_network()
    {
        var problem = Bad(Values.Networks, "192.168.1.0/24, 10.1.2.3/8");

        Assert.That(problem.What, Is.EqualTo("has \"10.1.2.3/8\", which has bits set behind its prefix"));
        Assert.That(problem.Suggestion, Is.EqualTo("10.0.0.0/8"));
    }

    [TestCase("10.0.0.0/33")]
    [TestCase("10.0.0.0/")]
    [TestCase("10.0.0/8")]
    [TestCase("lan")]
    [TestCase("::/129")]
    [TestCase("10.0.0.0/8,,::1")]
    [TestCase("::ffff:10.0.0.0/24")]
    [TestCase("::ffff:0.0.0.0/0")]
    [TestCase("::ffff:0:0/95")]
    [TestCase("::ffff:10.0.0.0/129")]
    [TestCase("fe80::1%lo")]
    [TestCase("fe80::%1/64")]
    public void Networks_wrong_refused(string text) => Assert.That(Bad(Values.Networks, text), Is.Not.Null);

    [TestCase("https://check.torproject.org/")]
    [TestCase("http://a.example:8080/x?y")]
    [TestCase("a.example:443")]
    [TestCase("192.0.2.1:80, [2001:db8::1]:80")]
    public void Canaries_forms(string text) => Assert.That(Good(Values.Canaries, text), Is.Not.Empty);

    [TestCase("a.example")]
    [TestCase("ftp://a.example/")]
    [TestCase("https://")]
    [TestCase("http://user:s3cret@a.example/")]
    [TestCase("aaaa.onion:80")]
    public void Canaries_wrong_refused(string text) => Assert.That(Bad(Values.Canaries, text), Is.Not.Null);

    [TestCase("2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion",
        "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:80")]
    [TestCase("http://2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion/x",
        "http://2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion/x")]
    public void OnionCanary_forms(string text, string expected) => Assert.That(Good(Values.OnionCanary, text), Is.EqualTo(expected));

    [TestCase("3gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion")]
    [TestCase("example.org:80")]
    public void OnionCanary_wrong_refused(string text) => Assert.That(Bad(Values.OnionCanary, text), Is.Not.Null);

    [TestCase("0660", 0x1b0)]
    [TestCase("600", 0x180)]
    [TestCase("0777", 0x1ff)]
    public void FileMode_octal(string text, int expected) => Assert.That((int)Good(Values.FileMode, text), Is.EqualTo(expected));

    [TestCase("0688")]
    [TestCase("1777")]
    [TestCase("66")]
    [TestCase("rw-")]
    public void FileMode_wrong_refused(string text) => Assert.That(Bad(Values.FileMode, text), Is.Not.Null);

    [TestCase("a/b", "/etc/torbalancer/a/b")]
    [TestCase("/a/../b", "/b")]
    [TestCase("~/x", "/home/ann/x")]
    public void FilePath_becomes_absolute(string text, string expected) => Assert.That(Good(Values.FilePath, text), Is.EqualTo(expected));

    [TestCase("wg-tor01", true)]
    [TestCase("a23456789012345", true)]
    [TestCase("a234567890123456", false)]
    [TestCase("a b", false)]
    [TestCase("a/b", false)]
    public void WireGuardInterface_kernel_rules(string text, bool valid) =>
        Assert.That(Values.WireGuardInterface.Parse(text, Context, out _) is null, Is.EqualTo(valid));

    [TestCase("1", 1)]
    [TestCase("65535", 65535)]
    public void Port_limits(string text, int expected) => Assert.That(Good(Values.Port, text), Is.EqualTo(expected));

    [TestCase("0")]
    [TestCase("65536")]
    [TestCase("99999999999999")]
    [TestCase("1.0")]
    [TestCase("0x50")]
    public void Port_wrong_refused(string text) => Assert.That(Bad(Values.Port, text), Is.Not.Null);

    private static T Good<T>(ValueParser<T> parser, string text)
    {
        var problem = parser.Parse(text, Context, out var value);
        Assert.That(problem, Is.Null);
        return value;
    }

    private static ValueProblem Bad<T>(ValueParser<T> parser, string text)
    {
        var problem = parser.Parse(text, Context, out _);
        Assert.That(problem, Is.Not.Null, "accepted");
        return problem!;
    }
}
