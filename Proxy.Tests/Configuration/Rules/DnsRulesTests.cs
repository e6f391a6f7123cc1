namespace TorBalancer.Tests.Configuration.Rules;

public class DnsRulesTests
{
    private const string Lan = "[Listener:lan]\nAddress = 127.0.0.1:9040\nProtocols = transparent\n[Dns]\n";

    [TestCase("Address = 127.0.0.1:5353")]
    [TestCase("Address = [::]:5353\nAllowFrom = 192.168.0.0/16, fd00::/8")]
    [TestCase("Address = 127.0.0.1:5353\nVirtualAddresses = 10.64.0.0/10")]
    [TestCase("Address = 127.0.0.1:5353\nVirtualAddresses = fd12:3456::/32")]
    public void Name_server_is_taken(string keys)
    {
        var result = Loading.Text(Lan + keys);
        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
    }

    [TestCase("Address = 192.168.1.1:53", 5,
        "Address = \"192.168.1.1:53\" can be reached from other machines; set AllowFrom = the networks that may ask, or listen on "
            + "127.0.0.1")]
    [TestCase("Address = 127.0.0.1:9040", 5, "Address = \"127.0.0.1:9040\" is taken by [Listener:lan] Address = \"127.0.0.1:9040\"")]
    [TestCase("VirtualAddresses = 8.0.0.0/8", 5,
        "VirtualAddresses has 8.0.0.0/8, whose addresses are others' own; allowed are private networks such as 10.192.0.0/10")]
    [TestCase("VirtualAddresses = 10.1.2.0/25", 5, "VirtualAddresses has 10.1.2.0/25, which is too narrow; allowed is /24 or wider")]
    [TestCase("VirtualAddresses = 10.0.0.0/10, 10.64.0.0/10", 5,
        "VirtualAddresses has 10.64.0.0/10, the second network of its family; allowed is one")]
    [TestCase("Address = 10.200.0.1:53\nAllowFrom = 10.200.0.0/24", 5,
        "VirtualAddresses has 10.192.0.0/10, and [Dns] Address is in it: what stands for a name must be nobody's address")]
    public void Name_server_that_could_do_harm_is_refused(string keys, int line, string expected) =>
        Assert.That(Loading.Errors(Lan + keys), Does.EndWith($"[Dns] {expected}").And.Contains($"t.conf:{line}:").Or.EndWith(expected));

    [Test]
    public void Name_server_without_a_transparent_listener_is_a_warning() =>
        Assert.That(
            Loading.Join(Loading.Text("[Dns]\nAddress = 127.0.0.1:5353").Warnings),
            Is.EqualTo(
                "t.conf:2: [Dns] there is no listener with Protocols = transparent: the addresses that .onion names get lead nowhere"));

    [Test]
    public void Name_server_for_everyone_is_a_warning() =>
        Assert.That(
            Loading.Join(Loading.Text(Lan + "Address = 0.0.0.0:53\nAllowFrom = 0.0.0.0/0").Warnings),
            Is.EqualTo("t.conf:6: [Dns] AllowFrom = 0.0.0.0/0 answers everyone, senders that are made up included"));
}
