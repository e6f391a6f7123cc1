using System.Net;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Tests.Configuration.Reading;

public class OptionsBinderTests
{
    [Test]
    public void Listener_all_keys_arrive()
    {
        var listener = Loading.Text("""
            [Listener:lan]
            Address = [::]:1180
            Protocols = http, SOCKS4
            Auth = required
            Users = ann:a:b, bob : p w
            AllowFrom = 10.0.0.0/8, ::1
            Mode = sticky
            Isolation = destination
            ExtendedErrors = on
            HandshakeTimeout = 3s
            MaxConnections = 100
            SocketMode = 0600
            """).Options.Listeners.Single();

        Assert.That(listener.Address, Is.EqualTo(new IPEndPoint(IPAddress.IPv6Any, 1180)));
        Assert.That(listener.Protocols, Is.EqualTo(ListenerProtocols.Http | ListenerProtocols.Socks4));
        Assert.That(listener.Auth, Is.EqualTo(ListenerAuth.Required));
        Assert.That(listener.Users, Is.EquivalentTo(new Dictionary<string, string> { ["ann"] = "a:b", ["bob"] = "p w" }));
        Assert.That(Loading.Dump(listener.AllowFrom), Is.EqualTo("[10.0.0.0/8, ::1/128]"));
        Assert.That((listener.Mode, listener.Isolation, listener.ExtendedErrors),
            Is.EqualTo(("sticky", (IsolationMode?)IsolationMode.Destination, true)));
        Assert.That((listener.HandshakeTimeout, listener.MaxConnections), Is.EqualTo((TimeSpan.FromSeconds(3), 100)));
        Assert.That(listener.SocketMode, Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Test]
    public void Route_all_keys_arrive()
    {
        var route = Loading.Text("[Worker:a]\nAddress = 10.201.1.2\nWgInterface = wg0\nWgHostAddress = 10.201.1.1\n[Route]\nClearnet = "
            + "wireguard\nIsolated = as_routed\nFamily = prefer_ipv6\nNameCache = 5m\nFirstByteTimeout = off").Options.Route;

        Assert.That(
            (route.Clearnet, route.Isolated, route.Family, route.NameCache, route.FirstByteTimeout),
            Is.EqualTo((ClearnetRoute.Wireguard, IsolatedRoute.AsRouted, AddressChoice.PreferIPv6, TimeSpan.FromMinutes(5),
                TimeSpan.Zero)));
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

    [Test]
    public void Admin_none_is_null() => Assert.That(Loading.Text("[Admin]\nAddress = none\nSocket = none").Options.Admin.Address, Is.Null);

    [Test]
    public void Timeouts_defaults_shrink_with_the_whole()
    {
        var result = Loading.Text("[Connect]\nTimeout = 3s");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Connect.AttemptTimeout, Is.EqualTo(TimeSpan.FromSeconds(3)));
        Assert.That(result.Options.Connect.WorkerTimeout, Is.EqualTo(TimeSpan.FromSeconds(3)));
    }
}
