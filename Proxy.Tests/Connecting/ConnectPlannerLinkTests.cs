using System.Net;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>Which connections may take a link, and which workers may carry them.</summary>
public sealed class ConnectPlannerLinkTests
{
    private static readonly WireGuardLink Link = new("wg0", IPAddress.Parse("10.201.1.1"));

    [TestCase(IsolationMode.Client, "127.0.0.1", null, null, true)]
    [TestCase(IsolationMode.Client, null, null, null, true)]
    [TestCase(IsolationMode.None, "192.0.2.1", "ann", null, true)]
    [TestCase(IsolationMode.Client, "192.0.2.1", null, null, false)]
    [TestCase(IsolationMode.Client, "127.0.0.1", "ann", null, false)]
    [TestCase(IsolationMode.Client, "127.0.0.1", null, "s1", false)]
    [TestCase(IsolationMode.None, "127.0.0.1", null, "s1", false)]
    [TestCase(IsolationMode.User, "127.0.0.1", null, null, false)]
    [TestCase(IsolationMode.Connection, "127.0.0.1", null, null, false)]
    [TestCase(IsolationMode.Destination, "127.0.0.1", null, null, false)]
    public void Plan_what_a_link_cannot_keep_apart_takes_the_SocksPort(
        IsolationMode isolation, string? client, string? user, string? session, bool mayLink)
    {
        foreach (var route in (ClearnetRoute[])[ClearnetRoute.Auto, ClearnetRoute.Wireguard])
        {
            Assert.That(Plan(route, isolation, client, user, session).Route, Is.EqualTo(mayLink ? route : ClearnetRoute.Socks));
            Assert.That(
                Plan(route, isolation, client, user, session, IsolatedRoute.AsRouted).Route, Is.EqualTo(route),
                "the operator says otherwise");
        }

        Assert.That(
            Plan(ClearnetRoute.Socks, isolation, client, user, session, IsolatedRoute.AsRouted).Route, Is.EqualTo(ClearnetRoute.Socks));
    }

    [TestCase("example.org", LinkFamilies.Any)]
    [TestCase("198.51.100.7", LinkFamilies.IPv4)]
    [TestCase("2001:db8::7", LinkFamilies.IPv6)]
    public void Plan_wireguard_needs_a_link_for_the_target(string host, LinkFamilies expected)
    {
        Assert.That(Plan(ClearnetRoute.Wireguard, host: host).Selection.Link, Is.EqualTo(expected));
        Assert.That(Plan(ClearnetRoute.Auto, host: host).Selection.Link, Is.EqualTo(LinkFamilies.None));
    }

    [TestCase(ClearnetRoute.Auto, "example.org", true, true)]
    [TestCase(ClearnetRoute.Auto, "example.org", false, false)]
    [TestCase(ClearnetRoute.Auto, "198.51.100.7", true, true)]
    [TestCase(ClearnetRoute.Auto, "10.0.0.7", true, false)]
    [TestCase(ClearnetRoute.Auto, "2001:db8::7", true, false)]
    [TestCase(ClearnetRoute.Wireguard, "10.0.0.7", true, true)]
    [TestCase(ClearnetRoute.Socks, "example.org", true, false)]
    public void UsesLink_auto_takes_it_where_it_leads(ClearnetRoute route, string host, bool hasLink, bool expected) =>
        Assert.That(
            Plan(route, host: host).UsesLink(new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1), Link: hasLink ? Link : null)),
            Is.EqualTo(expected));

    [TestCase("round_robin")]
    [TestCase("random")]
    [TestCase("sticky")]
    [TestCase("failover")]
    [TestCase("least_connections")]
    [TestCase("power_of_two")]
    [TestCase("fastest")]
    public void Select_worker_without_a_link_is_not_eligible_for_it(string mode)
    {
        var selector = SelectorOf.Pool(Pool(null, Link, null), 1);
        for (ulong i = 0; i < 20; i++)
        {
            using var lease = selector.Select(new SelectionRequest(mode, i, Link: LinkFamilies.Any), []).Lease!;
            Assert.That(lease.Worker.Id, Is.EqualTo("w2"));
        }

        var (none, error) = selector.Select(new SelectionRequest(mode, 1, Link: LinkFamilies.IPv6), []);
        Assert.That((none, error.Cause), Is.EqualTo(((WorkerLease?)null, FailureCause.NoWorkerAvailable)));
        Assert.That(error.Detail, Is.EqualTo("no available worker has a WireGuard link with an IPv6 address"));
    }

    [Test]
    public void Select_named_worker_without_a_link_is_refused()
    {
        var (lease, error) = SelectorOf.Pool(Pool(null, Link), 1)
            .Select(new SelectionRequest("round_robin", 0, "w1", Link: LinkFamilies.Any), []);

        Assert.That(lease, Is.Null);
        Assert.That(error.Detail, Is.EqualTo("worker w1 was asked for and has no WireGuard link for this route"));
    }

    private static WorkerPool Pool(params WireGuardLink?[] links)
    {
        var pool = new WorkerPool();
        pool.Apply(
            [
                .. links.Select(
                    static (link, i) => new WorkerModel($"w{i + 1}", new IPEndPoint(IPAddress.Loopback, 10_000 + i), Link: link)),
            ]);
        return pool;
    }

    private static ConnectPlan Plan(
        ClearnetRoute route, IsolationMode isolation = IsolationMode.Client, string? client = "127.0.0.1", string? user = null,
        string? session = null, IsolatedRoute isolated = IsolatedRoute.Socks, string host = "example.org")
    {
        Assert.That(HostEndPoint.TryCreate(host, 80, out var target), Is.True);
        var credentials = user is null ? null : new ClientCredentials(user, "");
        var owner = new ConnectionOwner(
            "main", client is null ? null : IPAddress.Parse(client), credentials, UserParameters.None with { Session = session });
        var planner = new ConnectPlanner(
            new BalancingOptions(), new IsolationTokenFactory(), new SessionTable(TimeProvider.System),
            new RouteOptions { Isolated = isolated });
        return planner.Plan(
            new ProxyRequest(ClientProtocol.Socks5, ProxyCommand.Connect, target, credentials), owner, null, isolation, route);
    }
}
