using System.Net;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Tests.Configuration.Rules;

/// <summary>Ranges of ports, sessions by port, and Auth = challenge.</summary>
public class ListenerSessionRulesTests
{
    [TestCase("Address = 127.0.0.1:20000-20099\nSession = port", "127.0.0.1:20000", 20099, 100)]
    [TestCase("Address = [::1]:20000-20999\nSession = port", "[::1]:20000", 20999, 1000)]
    [TestCase("Address = 127.0.0.1:20000\nSession = port", "127.0.0.1:20000", 0, 1)]
    [TestCase("Address = 127.0.0.1:20000-20000\nSession = port\nSessionLifetime = 10m\nCountry = DE\nMode = failover",
        "127.0.0.1:20000", 0, 1)]
    public void Ports_with_sessions_are_taken(string keys, string first, int last, int count)
    {
        var result = Loading.Text("[Listener:ports]\n" + keys);

        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        var listener = result.Options.Listeners.Single();
        Assert.That((listener.Address, listener.LastPort), Is.EqualTo(((EndPoint)IPEndPoint.Parse(first), last)));
        Assert.That(listener.Addresses.Count(), Is.EqualTo(count));
    }

    [TestCase("127.0.0.1:20000-19999", "is a range that ends before it begins")]
    [TestCase("127.0.0.1:0-100", "is a range that begins with port 0, which stands for any port")]
    [TestCase("127.0.0.1:20000-21000", "is a range of 1001 ports; at most 1000 are allowed")]
    [TestCase("127.0.0.1:20000-70000", "has no valid port at the end of its range; ports are 1 to 65535")]
    [TestCase("127.0.0.1-2:20000", "has a host that is not an IP address")]
    [TestCase("127.0.0.1:20000-", "is a range of ports without its last one; allowed: host:port")]
    [TestCase("127.0.0.1:-20000", "has no valid port")]
    public void Range_that_is_none_is_refused(string address, string expected) =>
        Assert.That(
            Loading.Errors($"[Listener:ports]\nAddress = {address}\nSession = port"),
            Does.StartWith("t.conf:2: [Listener:ports] Address").And.Contain(expected));

    [TestCase("Address = 127.0.0.1:20000-20099", "2", "is a range of ports, which needs Session = port")]
    [TestCase("Session = port\nAddress = 127.0.0.1:0", "2", "has no port that is known")]
    [TestCase("Session = port\nAddress = unix:/run/x.sock", "2", "has no port that is known")]
    [TestCase("Session = port\nProtocols = transparent\nAddress = 127.0.0.1:1082", "2", "those of a transparent listener choose none")]
    [TestCase("SessionLifetime = 10m", "2", "SessionLifetime is that of the sessions of ports, and needs Session = port")]
    [TestCase("Auth = challenge\nProtocols = socks5", "2", "Auth = challenge, but Protocols has no http")]
    [TestCase("Session = prot", "2", "did you mean \"port\"?")]
    public void Keys_that_contradict_each_other_are_refused(string keys, string line, string expected) =>
        Assert.That(
            Loading.Errors("[Listener:ports]\n" + keys), Does.StartWith($"t.conf:{line}: [Listener:ports] ").And.Contain(expected));

    [Test]
    public void Challenge_is_no_guard_of_an_address_that_others_reach() =>
        Assert.That(
            Loading.Errors("[Listener:a]\nAddress = 0.0.0.0:1080\nAuth = challenge"), Does.Contain("can be reached from other machines"));

    [Test]
    public void Range_that_others_reach_is_named_whole() =>
        Assert.That(
            Loading.Errors("[Listener:a]\nAddress = 0.0.0.0:20000-20009\nSession = port"),
            Does.Contain("\"0.0.0.0:20000-20009\" can be reached from other machines"));

    [Test]
    public void Challenge_is_read() =>
        Assert.That(Loading.Text("[Listener:a]\nAuth = challenge").Options.Listeners.Single().Auth, Is.EqualTo(ListenerAuth.Challenge));
}
