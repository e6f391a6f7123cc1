namespace TorBalancer.Tests.Configuration.Rules;

/// <summary>[Route], [Rule:name], workers with a link, and workers that are not tor.</summary>
public class RouteRulesTests
{
    [TestCase("Domain = example.org", "Domain = www.example.org\nPort = 80", true)]
    [TestCase("Port = 1-1000", "Port = 22, 80", true)]
    [TestCase("Network = 10.0.0.0/8", "Network = 10.1.0.0/16", true)]
    [TestCase("Domain = www.example.org", "Domain = example.org", false)]
    [TestCase("Domain = example.org\nPort = 80", "Domain = example.org", false)]
    [TestCase("Domain = ample.org", "Domain = example.org", false)]
    [TestCase("Network = 10.1.0.0/16", "Network = 10.0.0.0/8", false)]
    public void Rule_behind_one_that_fits_all_of_it_is_a_warning(string first, string second, bool warns)
    {
        var result = Loading.Text($"[Rule:a]\n{first}\nRoute = reject\n[Rule:b]\n{second}\nRoute = socks");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(Loading.Join(result.Warnings), warns
            ? Does.EndWith("[Rule:b] never decides: [Rule:a] stands before it and fits every target of it")
            : Is.Empty);
    }

    private const string Link = "[Worker:a]\nAddress = 10.201.1.2\nWgInterface = wg0\nWgHostAddress = 10.201.1.1\n";

    [TestCase("Route = socks", "t.conf:2: [Rule:r] has no condition and would fit every target; that is [Route] Clearnet")]
    [TestCase("Port = 25", "t.conf:1: [Rule:r] needs a Route: auto, socks, wireguard or reject")]
    [TestCase("Domain = a.b\nNetwork = 10.0.0.0/8\nRoute = socks",
        "t.conf:3: [Rule:r] Network and Domain together fit nothing: a target is a name or an address")]
    [TestCase("Domain = 10.0.0.1\nRoute = socks", "t.conf:2: [Rule:r] Domain = \"10.0.0.1\" is an address; that goes into Network")]
    [TestCase("Port = 90-80\nRoute = socks",
        "t.conf:2: [Rule:r] Port = \"90-80\" ends before it begins; allowed: ports from 1 to 65535 or ranges such as 6000-7000")]
    [TestCase("Port = 0\nRoute = socks",
        "t.conf:2: [Rule:r] Port = \"0\" is not a port or a range of ports; allowed: ports from 1 to 65535 or ranges such as 6000-7000")]
    [TestCase("Port = 1\nRoute = direct", "t.conf:3: [Rule:r] Route = \"direct\" is not a route; allowed: auto, socks, wireguard, reject")]
    public void Rule_mistakes_refused(string keys, string expected) =>
        Assert.That(Loading.Errors($"[Rule:r]\n{keys}"), Is.EqualTo(expected));

    [TestCase(Link, "")]
    [TestCase("[Worker:a]\nTor = no\n[Balancing]\nIsolation = none", "")]
    [TestCase("[Worker:a]\nTor = no\n[Balancing]\nIsolation = user",
        "t.conf:2: [Worker:a] Tor = no, but [Balancing] Isolation = user sends it a user name and password, which few such servers take, "
            + "and nothing is kept apart by it; Isolation = none does without")]
    [TestCase("[Worker:a]\nTor = no\nControlPort = 9051\n[Balancing]\nIsolation = none",
        "t.conf:3: [Worker:a] Tor = no, but it has a ControlPort, which only tor has")]
    [TestCase("[Worker:a]\nTor = no\n[Worker:b]\nSocksPort = 9052\n[Balancing]\nIsolation = none",
        "t.conf:2: [Worker:a] Tor = no, and other workers are tor: which of them carries a connection decides whether Tor hides it")]
    [TestCase("[Route]\nClearnet = wireguard\n[Worker:a]",
        "t.conf:2: [Route] Clearnet = wireguard, but no [Worker:name] has a WgInterface: such connections will be refused")]
    [TestCase(Link + "[Route]\nClearnet = socks", "t.conf:3: [Worker:a] WgInterface is not used for connections: [Route] Clearnet = socks")]
    [TestCase(Link + "[Route]\nClearnet = socks\n[Rule:r]\nPort = 80\nRoute = wireguard", "")]
    [TestCase(Link + "[Route]\nClearnet = wireguard\n[Balancing]\nIsolation = user",
        "t.conf:6: [Route] [Balancing] Isolation = user cannot be kept on a WireGuard link, so connections go by SOCKS; Isolated = "
        + "as_routed would put it the other way round")]
    [TestCase(Link + "[Route]\nClearnet = wireguard\nIsolated = as_routed\n[Balancing]\nIsolation = user", "")]
    [TestCase("[Worker:a]\nAddress = 198.51.100.7\nWgInterface = wg0\nWgHostAddress = 10.201.1.1",
        "t.conf:2: [Worker:a] SocksPort at 198.51.100.7 will be reached as the system routes, not bound to wg0: only what goes to "
            + "WgWorkerAddress, which is not given, is bound to the link")]
    [TestCase("[Worker:a]\nAddress = 198.51.100.7\nControlPort = 9051\nSshPort = 22\nWgInterface = wg0\nWgHostAddress = "
        + "10.201.1.1\nWgWorkerAddress = 10.201.1.2",
        "t.conf:2: [Worker:a] SocksPort, ControlPort, SshPort at 198.51.100.7 will be reached as the system routes, not bound to wg0: only "
            + "what goes to WgWorkerAddress, which is 10.201.1.2, is bound to the link")]
    [TestCase("[Worker:a]\nAddress = 10.201.1.2\nControlPort = 9051\nSshPort = 22\nWgInterface = wg0\nWgHostAddress = 10.201.1.1", "")]
    [TestCase("[Worker:a]\nAddress = 127.0.0.1\nWgInterface = wg0\nWgHostAddress = 10.201.1.1", "",
        Description = "a forwarded port leaves this machine by its own way")]
    [TestCase("[Worker:a]\nAddress = 198.51.100.7\nSocksPort = unix:/run/tor/a\nWgInterface = wg0\nWgHostAddress = 10.201.1.1", "")]
    [TestCase("[Rule:r]\nDomain = x.onion\nRoute = wireguard\n" + Link,
        "t.conf:3: [Rule:r] onion services always go by a SocksPort, whatever a rule says; only reject holds for them")]
    public void What_will_not_be_as_written_is_a_warning(string text, string expected)
    {
        var result = Loading.Text(text);

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(Loading.Join(result.Warnings), Is.EqualTo(expected));
    }
}
