using System.Net;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Tests.Configuration;

/// <summary>[Route], [Rule:name] and the keys of a worker's WireGuard link.</summary>
public class RouteConfigurationTests
{
    private const string Link = "[Worker:a]\nAddress = 10.201.1.2\nWgInterface = wg0\nWgHostAddress = 10.201.1.1\n";

    [Test]
    public void Route_all_keys_arrive()
    {
        var route = Loading.Text(Link + "[Route]\nClearnet = wireguard\nIsolated = as_routed\nFamily = prefer_ipv6\nNameCache = 5m\nFirstByteTimeout = off").Options.Route;

        Assert.That(
            (route.Clearnet, route.Isolated, route.Family, route.NameCache, route.FirstByteTimeout),
            Is.EqualTo((ClearnetRoute.Wireguard, IsolatedRoute.AsRouted, AddressChoice.PreferIPv6, TimeSpan.FromMinutes(5), TimeSpan.Zero)));
    }

    [Test]
    public void Rules_arrive_in_the_order_of_the_file()
    {
        var rules = Loading.Text("""
            [Rule:video]
            Domain = *.Example.org., example.net
            Port = 443, 8000-8100
            Route = wireguard
            [Rule:lan]
            Network = 10.0.0.0/8, ::1
            Route = reject
            """).Options.Route.Rules;

        Assert.That(rules.Select(static rule => rule.Name), Is.EqualTo(new[] { "video", "lan" }));
        Assert.That(rules[0].Domains, Is.EqualTo(new[] { "example.org", "example.net" }));
        Assert.That(rules[0].Ports, Is.EqualTo(new[] { new PortRange(443, 443), new PortRange(8000, 8100) }));
        Assert.That(rules[1].Networks, Is.EqualTo(new[] { IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("::1/128") }));
        Assert.That(rules.Select(static rule => rule.Route), Is.EqualTo(new[] { RuleRoute.Wireguard, RuleRoute.Reject }));
    }

    [TestCase("Route = socks", "t.conf:2: [Rule:r] has no condition and would fit every target; that is [Route] Clearnet")]
    [TestCase("Port = 25", "t.conf:1: [Rule:r] needs a Route: auto, socks, wireguard or reject")]
    [TestCase("Domain = a.b\nNetwork = 10.0.0.0/8\nRoute = socks", "t.conf:3: [Rule:r] Network and Domain together fit nothing: a target is a name or an address")]
    [TestCase("Domain = 10.0.0.1\nRoute = socks", "t.conf:2: [Rule:r] Domain = \"10.0.0.1\" is an address; that goes into Network")]
    [TestCase("Port = 90-80\nRoute = socks", "t.conf:2: [Rule:r] Port = \"90-80\" ends before it begins; allowed: ports from 1 to 65535 or ranges such as 6000-7000")]
    [TestCase("Port = 0\nRoute = socks", "t.conf:2: [Rule:r] Port = \"0\" is not a port or a range of ports; allowed: ports from 1 to 65535 or ranges such as 6000-7000")]
    [TestCase("Port = 1\nRoute = direct", "t.conf:3: [Rule:r] Route = \"direct\" is not a route; allowed: auto, socks, wireguard, reject")]
    public void Rule_mistakes_refused(string keys, string expected) => Assert.That(Loading.Errors($"[Rule:r]\n{keys}"), Is.EqualTo(expected));

    [TestCase("WgInterface = wg0", "t.conf:2: [Worker:a] WgInterface = \"wg0\" needs WgHostAddress, our own address on that link")]
    [TestCase("WgHostAddress = 10.0.0.1", "t.conf:2: [Worker:a] WgHostAddress needs WgInterface, the WireGuard interface towards this worker")]
    [TestCase("DnsPort = 53", "t.conf:2: [Worker:a] DnsPort needs WgInterface, the WireGuard interface towards this worker")]
    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1, 10.0.0.2", "t.conf:3: [Worker:a] WgHostAddress has two addresses of one family; give at most one IPv4 and one IPv6 address")]
    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1\nDnsPort = 53", "t.conf:4: [Worker:a] DnsPort needs WgWorkerAddress, the worker's own address on the link")]
    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1\nWgWorkerAddress = fd00::2", "t.conf:4: [Worker:a] fd00::2 cannot be reached from WgHostAddress, which is of the other family")]
    [TestCase("WgInterface = a/b\nWgHostAddress = 10.0.0.1", "t.conf:2: [Worker:a] WgInterface = \"a/b\" is not the name of a network interface; allowed: the name of a network interface, up to 15 letters")]
    public void Half_a_link_refused(string keys, string expected) => Assert.That(Loading.Errors($"[Worker:a]\n{keys}"), Is.EqualTo(expected));

    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1\nDnsPort = 53\nAddress = fd00::2", "t.conf:4: [Worker:a] DnsPort needs WgWorkerAddress, the worker's own address on the link")]
    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1\nDnsPort = 53\nAddress = unix:/run/tor/a", "t.conf:4: [Worker:a] DnsPort needs WgWorkerAddress, the worker's own address on the link")]
    public void DnsPort_without_an_address_that_the_link_reaches_refused(string keys, string expected) =>
        Assert.That(Loading.Errors($"[Worker:a]\n{keys}"), Is.EqualTo(expected));

    [TestCase("Address = 17.0.0.134", "17.0.0.134:5353", Description = "the example of the design")]
    [TestCase("Address = 10.201.1.2", "10.201.1.2:5353")]
    [TestCase("Address = 17.0.0.134\nWgWorkerAddress = 10.201.1.2", "10.201.1.2:5353")]
    public void DnsPort_is_asked_at_the_workers_address_on_the_link_or_else_at_its_address(string keys, string expected)
    {
        var result = Loading.Text($"[Worker:a]\nWgInterface = wg0\nWgHostAddress = 10.201.1.1\nDnsPort = 5353\n{keys}");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Workers[0].DnsEndPoint, Is.EqualTo(IPEndPoint.Parse(expected)));
    }

    [TestCase("Address = 10.201.1.2", "10.201.1.2")]
    [TestCase("Address = 10.201.2.2", "null")]
    [TestCase("Address = 198.51.100.7", "null")]
    [TestCase("Address = 198.51.100.7\nWgWorkerAddress = 10.201.1.2", "10.201.1.2")]
    [TestCase("Address = fd00::2", "fd00::2")]
    [TestCase("Address = fd00:0:0:1::2", "null")]
    public void Address_on_the_link_is_known_by_its_network(string keys, string expected)
    {
        var result = Loading.Text($"[Worker:a]\nWgInterface = wg0\nWgHostAddress = 10.201.1.1, fd00::1\n{keys}");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(Loading.Dump(result.Options.Workers[0].WgWorkerAddress), Is.EqualTo(expected));
    }

    [TestCase(Link, "")]
    [TestCase("[Worker:a]\nTor = no\n[Balancing]\nIsolation = none", "")]
    [TestCase("[Worker:a]\nTor = no\n[Balancing]\nIsolation = user",
        "t.conf:2: [Worker:a] Tor = no, but [Balancing] Isolation = user sends it a user name and password, which few such servers take, and nothing is kept apart by it; Isolation = none does without")]
    [TestCase("[Worker:a]\nTor = no\nControlPort = 9051\n[Balancing]\nIsolation = none", "t.conf:3: [Worker:a] Tor = no, but it has a ControlPort, which only tor has")]
    [TestCase("[Worker:a]\nTor = no\n[Worker:b]\nSocksPort = 9052\n[Balancing]\nIsolation = none",
        "t.conf:2: [Worker:a] Tor = no, and other workers are tor: which of them carries a connection decides whether Tor hides it")]
    [TestCase("[Route]\nClearnet = wireguard\n[Worker:a]", "t.conf:2: [Route] Clearnet = wireguard, but no [Worker:name] has a WgInterface: such connections will be refused")]
    [TestCase(Link + "[Route]\nClearnet = socks", "t.conf:3: [Worker:a] WgInterface is not used for connections: [Route] Clearnet = socks")]
    [TestCase(Link + "[Route]\nClearnet = socks\n[Rule:r]\nPort = 80\nRoute = wireguard", "")]
    [TestCase(Link + "[Route]\nClearnet = wireguard\n[Balancing]\nIsolation = user", "t.conf:6: [Route] [Balancing] Isolation = user cannot be kept on a WireGuard link, so connections go by SOCKS; Isolated = as_routed would put it the other way round")]
    [TestCase(Link + "[Route]\nClearnet = wireguard\nIsolated = as_routed\n[Balancing]\nIsolation = user", "")]
    [TestCase("[Worker:a]\nAddress = 198.51.100.7\nWgInterface = wg0\nWgHostAddress = 10.201.1.1",
        "t.conf:2: [Worker:a] SocksPort at 198.51.100.7 will be reached as the system routes, not bound to wg0: only what goes to WgWorkerAddress, which is not given, is bound to the link")]
    [TestCase("[Worker:a]\nAddress = 198.51.100.7\nControlPort = 9051\nSshPort = 22\nWgInterface = wg0\nWgHostAddress = 10.201.1.1\nWgWorkerAddress = 10.201.1.2",
        "t.conf:2: [Worker:a] SocksPort, ControlPort, SshPort at 198.51.100.7 will be reached as the system routes, not bound to wg0: only what goes to WgWorkerAddress, which is 10.201.1.2, is bound to the link")]
    [TestCase("[Worker:a]\nAddress = 10.201.1.2\nControlPort = 9051\nSshPort = 22\nWgInterface = wg0\nWgHostAddress = 10.201.1.1", "")]
    [TestCase("[Worker:a]\nAddress = 127.0.0.1\nWgInterface = wg0\nWgHostAddress = 10.201.1.1", "", Description = "a forwarded port leaves this machine by its own way")]
    [TestCase("[Worker:a]\nAddress = 198.51.100.7\nSocksPort = unix:/run/tor/a\nWgInterface = wg0\nWgHostAddress = 10.201.1.1", "")]
    [TestCase("[Rule:r]\nDomain = x.onion\nRoute = wireguard\n" + Link, "t.conf:3: [Rule:r] onion services always go by a SocksPort, whatever a rule says; only reject holds for them")]
    public void What_will_not_be_as_written_is_a_warning(string text, string expected)
    {
        var result = Loading.Text(text);

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(Loading.Join(result.Warnings), Is.EqualTo(expected));
    }
}
