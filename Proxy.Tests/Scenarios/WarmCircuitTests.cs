using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Balancing;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// New identities over circuits that were launched ahead, in front of a real tor: none ever shares one. What tor says over a control
/// connection of the test's own is what counts. TORBALANCER_IDENTITIES=500 for many more of them.
/// </summary>
[NonParallelizable] // Another test's streams would be on the same worker.
public sealed class WarmCircuitTests
{
    private const string Worker = "worker-02";

    private static readonly int Identities = int.Parse(
        Environment.GetEnvironmentVariable("TORBALANCER_IDENTITIES") ?? "60", CultureInfo.InvariantCulture);

    private TestNetwork _network = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _network = await SharedTestNetwork.GetAsync();

    // A tor that has served a dozen identities builds nothing ahead by itself: each circuit is one that it builds for a stream.
    [TestCase(0), TestCase(40)]
    [CancelAfter(300_000)]
    public async Task New_identities_over_warm_circuits_never_share_one(int servedBefore, CancellationToken token)
    {
        TestNode node = _network.Node(Worker);
        for (int i = 0; i < servedBefore; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, node.SocksPort, token);
            await using var straight = new NetworkStream(socket, ownsSocket: true);
            await SocksClient.RequestAsync(straight, TestNetwork.OriginName, _network.EchoPort, token, $"before-{i}", "x");
        }

        var model = new WorkerModel(
            Worker, new IPEndPoint(IPAddress.Loopback, node.SocksPort), ControlEndPoint: new UnixDomainSocketEndPoint(node.ControlPath))
        {
            ControlCookie = node.CookiePath,
        };
        await using var proxy = await ProxyUnderTest.StartAsync(
            [model],
            options =>
            {
                options.Route.Rules.Add(TestNetworkConf.Route);
                options.Balancing.Mode = SelectionPolicyNames.Random;
            });
        proxy.Relays.Start();
        while (proxy.Relays.FactsOf(Worker) is not { IsConnected: true })
            await Task.Delay(20, token);
        await using var owners = await CircuitOwners.StartAsync(node, token);

        // Each keeps its connection for a while, and comes back once, some steps later: to its own circuit.
        // They go on until some have been warmed for: on a machine that is busy elsewhere tor may take longer than the first ones.
        var open = new Queue<NetworkStream>();
        int count = 0;
        for (; count < Identities || (UsedWarm() <= Identities / 4 && count < 5 * Identities); count++)
        {
            int i = count;
            open.Enqueue(await OpenAsync(proxy, $"identity-{i}", token));
            if (i >= 10)
                (await OpenAsync(proxy, $"identity-{i - 10}", token)).Dispose();
            if (open.Count > 20)
                open.Dequeue().Dispose();
        }

        var carried = await owners.UntilAsync(count, token);
        foreach (var stream in open)
            stream.Dispose();
        var warm = proxy.Relays.FactsOf(Worker)!.Warm!;
        TestContext.Progress.WriteLine($"{carried.Count} circuits and sets carried {count} identities; {warm}");
        foreach (var (circuit, identities) in carried)
            Assert.That(identities, Has.Count.EqualTo(1), $"circuit {circuit} carried {string.Join(", ", identities)}");
        Assert.That(carried.Values.SelectMany(static one => one).Distinct().Count(), Is.EqualTo(count));
        Assert.That(warm.Used, Is.GreaterThan(Identities / 4), "most of them ran over circuits that were launched ahead");
        Assert.That(warm.Launched - warm.Used - warm.Failed, Is.LessThanOrEqualTo(16));

        long UsedWarm() => proxy.Relays.FactsOf(Worker)?.Warm?.Used ?? 0;
    }

    private async Task<NetworkStream> OpenAsync(ProxyUnderTest proxy, string user, CancellationToken token)
    {
        for (int attempt = 0; ; attempt++)
        {
            var stream = await proxy.ConnectAsync();
            byte[] reply = await SocksClient.RequestAsync(stream, TestNetwork.OriginName, _network.EchoPort, token, user, "x");
            if (reply[1] == 0)
                return stream;
            await stream.DisposeAsync();
            Assert.That(attempt, Is.LessThan(3), $"tor answered {reply[1]:X2}");
        }
    }

    /// <summary>Which passwords each circuit, or conflux set, carried.</summary>
    private sealed class CircuitOwners : IAsyncDisposable
    {
        private readonly ControlConnection _control;
        private readonly ControlSubscription _events;
        private readonly Dictionary<string, HashSet<string>> _carried = [];
        private readonly Dictionary<string, string> _passwords = [], _sets = [];

        private CircuitOwners(ControlConnection control)
        {
            _control = control;
            _events = control.Subscribe(65_536);
        }

        public static async Task<CircuitOwners> StartAsync(TestNode node, CancellationToken token)
        {
            var owners = new CircuitOwners(await WorkerControl.ConnectAsync(node, token));
            await owners._control.SetEventsAsync(["STREAM", "CIRC", "CIRC_MINOR"], token);
            foreach (string line in await owners._control.GetInfoLinesAsync("circuit-status", token))
                owners.Circuit(CircuitInfo.TryParse(line));
            return owners;
        }

        public async Task<Dictionary<string, HashSet<string>>> UntilAsync(int identities, CancellationToken token)
        {
            while (_carried.Values.SelectMany(static one => one).Distinct().Count() < identities)
            {
                switch (await _events.Events.ReadAsync(token))
                {
                    case EventsLostEvent:
                        throw new InvalidOperationException("events were lost: nothing can be said");
                    case CircuitEvent { Circuit: var circuit }:
                        Circuit(circuit);
                        break;
                    case CircuitMinorEvent { Circuit: var circuit }:
                        Circuit(circuit);
                        break;
                    case StreamEvent { Stream: var stream }:
                        Stream(stream);
                        break;
                }
            }

            return _carried;
        }

        public async ValueTask DisposeAsync()
        {
            _events.Dispose();
            await _control.DisposeAsync();
        }

        private void Circuit(CircuitInfo? circuit)
        {
            if (circuit?.ConfluxId is { } set)
                _sets[circuit.Id] = set;
        }

        private void Stream(StreamInfo stream)
        {
            if (stream.Status == StreamStatus.New && stream.SocksPassword is { } password)
                _passwords[stream.Id] = password;
            if (stream.Status is not (StreamStatus.SentConnect or StreamStatus.Succeeded)
                || stream.CircuitId is not { } circuit || !_passwords.TryGetValue(stream.Id, out string? owner))
                return;
            string key = _sets.GetValueOrDefault(circuit, circuit);
            if (!_carried.TryGetValue(key, out var owners))
                _carried.Add(key, owners = []);
            owners.Add(owner);
        }
    }
}
