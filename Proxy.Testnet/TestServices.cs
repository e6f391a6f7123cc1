using System.Net;
using System.Net.Sockets;
using TorBalancer.Testnet.Distance;
using TorBalancer.Testnet.Dns;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Testnet.Origin;

namespace TorBalancer.Testnet;

/// <summary>
/// What stands behind the exits and the onion service: name servers, the origin, an echo server and a port that refuses; and in front of
/// relays that are far away, what holds their traffic.
/// </summary>
internal sealed class TestServices : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _servers = [];
    private Socket? _closed;

    /// <summary>What all of the name servers were asked.</summary>
    public DnsQuestionLog Questions { get; } = new();

    /// <summary>Starts all of them at the plan's addresses.</summary>
    public static async Task<TestServices> StartAsync(TestNetworkPlan plan, TimeProvider time)
    {
        var services = new TestServices();
        try
        {
            services.Start(plan, time);
            return services;
        }
        catch (SocketException failure)
        {
            await services.DisposeAsync();
            throw new TestNetworkException($"the origin, a name server or a forwarder cannot listen: {failure.Message}", failure);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _closed?.Dispose();
        foreach (IAsyncDisposable server in _servers)
            await server.DisposeAsync();
    }

    private void Start(TestNetworkPlan plan, TimeProvider time)
    {
        var exits = new Dictionary<IPAddress, string>();
        for (int i = 0; i < plan.Exits.Count; i++)
        {
            IPAddress address = TestNetworkPlan.ExitAddress(i);
            exits.Add(address, plan.Exits[i].Name);
            _servers.Add(TestDnsServer.Start(plan.DnsEndPoint(i), new TestZone(plan.NameAddress(i), plan.NameAddress6(i)), Questions));
        }

        IPAddress[] addresses = [IPAddress.Loopback, .. exits.Keys];
        var origin = new OriginHandler(exits, time);
        _servers.Add(LoopbackServer.Start(At(addresses, plan.OriginPort), origin.RunAsync, time));
        _servers.Add(LoopbackServer.Start(At(addresses, plan.EchoPort), EchoHandler.RunAsync, time));

        foreach (TestNode far in plan.Nodes.Where(static node => node.HiddenOrPort != 0))
        {
            _servers.Add(LatencyForwarder.Start(
                new IPEndPoint(far.Address, far.OrPort), new IPEndPoint(far.Address, far.HiddenOrPort), plan.Latency, time));
        }

        // Bound and never listening: the kernel refuses connections to it, and nobody else can take it meanwhile.
        _closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _closed.Bind(new IPEndPoint(IPAddress.Loopback, plan.ClosedPort));
    }

    private static IPEndPoint[] At(IEnumerable<IPAddress> addresses, int port) => addresses.Select(a => new IPEndPoint(a, port)).ToArray();
}
