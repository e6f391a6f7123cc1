using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Connecting;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// A fault of older tors, met on purpose: a stream to an onion service is closed before its circuit is ready, and the next client's
/// stream takes that circuit. With tor alone it happens, behind the proxy it must not.
/// </summary>
[NonParallelizable] // It goes by how long connects take.
public sealed class OnionIsolationTests
{
    private const string Worker = "worker-04";
    private const int Tries = 24;

    private TestNetwork _network = null!;

    private TestNode Node => _network.Node(Worker);

    [OneTimeSetUp]
    public async Task StartAsync() => _network = await SharedTestNetwork.GetAsync();

    [Test, CancelAfter(180_000)]
    public async Task An_onion_circuit_whose_client_left_early_carries_nobody_else(CancellationToken token)
    {
        await using var watch = await ReadyCircuits.StartAsync(Node, token);
        var socks = new IPEndPoint(IPAddress.Loopback, Node.SocksPort);
        bool hasFault = TorFault.OnionCircuitOfClosedStream.Has(watch.Version);
        int direct = await CountTakenAsync(socks, "direct", watch, hasFault ? 1 : Tries, token);
        if (hasFault && direct == 0)
            await TestContext.Out.WriteLineAsync($"tor {watch.Version} has the fault, not met in {Tries} tries");
        if (!hasFault)
            Assert.That(direct, Is.Zero);

        var model = new WorkerModel(Worker, socks, ControlEndPoint: new UnixDomainSocketEndPoint(Node.ControlPath))
        {
            ControlCookie = Node.CookiePath,
        };
        await using var proxy = await ProxyUnderTest.StartAsync([model]);
        proxy.Relays.Start();
        while (proxy.Relays.VersionOf(Worker) is null)
            await Task.Delay(20, token);
        var kept = proxy.Get<UnreadyOnionStreams>();
        Assert.That(kept.MayHedge, Is.EqualTo(!hasFault));

        // tor itself gives a stream up now and then, which nobody in front of it can prevent; alone it is caught within a few tries.
        int proxied = await CountTakenAsync(proxy.Address, "proxied", watch, most: Tries, token);
        await TestContext.Out.WriteLineAsync($"behind the proxy {proxied} of {Tries}");
        Assert.That(proxied, Is.LessThanOrEqualTo(hasFault ? 1 : 0));
        while (kept.Count > 0)
            await Task.Delay(20, token);
    }

    /// <summary>How many second clients were carried by a circuit that was ready before they asked; ends at the most.</summary>
    private async Task<int> CountTakenAsync(IPEndPoint socks, string who, ReadyCircuits watch, int most, CancellationToken token)
    {
        // How long it takes is only known here; the moment that matters is somewhere in its second half.
        long began = Stopwatch.GetTimestamp();
        using (await AskAsync(socks, who, token))
        {
        }

        var whole = Stopwatch.GetElapsedTime(began);
        await watch.CloseReadyAsync(token);
        int taken = 0;
        for (int i = 0; i < Tries && taken < most; i++)
        {
            var early = await BeginAsync(socks, $"{who}-early-{i}", token);
            await Task.Delay(whole * (0.3 + (0.7 * (i % 12) / 12)), token);
            early.Dispose();
            await Task.Delay(whole * 2, token);
            watch.Mark();
            using (await AskAsync(socks, $"{who}-late-{i}", token))
                taken += await watch.TookReadyCircuitAsync(token) ? 1 : 0;
        }

        return taken;
    }

    private async Task<Socket> BeginAsync(IPEndPoint socks, string password, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(socks, token);
        byte[] secret = System.Text.Encoding.ASCII.GetBytes(password), host = System.Text.Encoding.ASCII.GetBytes(_network.OnionAddress);
        await socket.SendAsync(
            (byte[])[5, 1, 2, 1, 1, (byte)'u', (byte)secret.Length, .. secret, 5, 1, 0, 3, (byte)host.Length, .. host, 0, 80], token);
        return socket;
    }

    private async Task<Socket> AskAsync(IPEndPoint socks, string password, CancellationToken token)
    {
        var socket = await BeginAsync(socks, password, token);
        await using var stream = new NetworkStream(socket, ownsSocket: false);

        // tor leaves out the method's reply when all comes at once; the proxy does not.
        byte[] answers = new byte[4];
        await stream.ReadExactlyAsync(answers.AsMemory(0, 2), token);
        if (answers[0] == 5)
            await stream.ReadExactlyAsync(answers.AsMemory(0, 2), token);
        await stream.ReadExactlyAsync(answers, token);
        Assert.That(answers[1], Is.Zero);
        return socket;
    }

    /// <summary>Circuits to onion services that were ready at a certain moment, and the one that the next stream took.</summary>
    private sealed class ReadyCircuits : IAsyncDisposable
    {
        private readonly ControlConnection _control;
        private readonly ControlSubscription _events;
        private readonly HashSet<string> _ready = [];

        private ReadyCircuits(ControlConnection control)
        {
            _control = control;
            _events = control.Subscribe(16_384);
            Version = TorVersion.TryParse(control.Info.TorVersion)!.Value;
        }

        public TorVersion Version { get; }

        public static async Task<ReadyCircuits> StartAsync(TestNode worker, CancellationToken token)
        {
            var watch = new ReadyCircuits(await WorkerControl.ConnectAsync(worker, token));
            await watch._control.SetEventsAsync(["STREAM", "CIRC", "CIRC_MINOR"], token);
            return watch;
        }

        /// <summary>Takes in what happened until now.</summary>
        public void Mark()
        {
            while (_events.Events.TryRead(out var message))
                Observe(message);
        }

        /// <summary>Closes them: what was left over by one way must not be taken for the other's.</summary>
        public async Task CloseReadyAsync(CancellationToken token)
        {
            Mark();
            foreach (string circuit in _ready)
                await _control.CloseCircuitAsync(circuit, onlyIfUnused: false, token);
            _ready.Clear();
        }

        /// <summary>Of the next stream that is open.</summary>
        public async Task<bool> TookReadyCircuitAsync(CancellationToken token)
        {
            var before = _ready.ToHashSet();
            while (true)
            {
                var message = await _events.Events.ReadAsync(token);
                Observe(message);
                if (message is StreamEvent { Stream: { Status: StreamStatus.Succeeded, CircuitId: { } circuit } })
                    return before.Contains(circuit);
            }
        }

        public async ValueTask DisposeAsync()
        {
            _events.Dispose();
            await _control.DisposeAsync();
        }

        private void Observe(ControlEvent message)
        {
            string? id = message switch
            {
                CircuitEvent major => major.Circuit.Id,
                CircuitMinorEvent minor => minor.Circuit.Id,
                _ => null,
            };
            if (id is not null && message.Keywords["HS_STATE"] == "HSCR_JOINED")
                _ready.Add(id);
        }
    }
}
