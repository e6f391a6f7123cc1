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
        var model = new WorkerModel(Worker, socks, ControlEndPoint: new UnixDomainSocketEndPoint(Node.ControlPath))
        {
            ControlCookie = Node.CookiePath,
        };
        await using (var proxy = await ProxyUnderTest.StartAsync([model]))
        {
            proxy.Relays.Start();
            while (proxy.Relays.VersionOf(Worker) is null)
                await Task.Delay(20, token);
            var kept = proxy.Get<UnreadyOnionStreams>();
            Assert.That(kept.MayHedge, Is.EqualTo(!hasFault));

            // Before tor alone: circuits of streams that were closed there may be ready much later.
            int proxied = await CountTakenAsync(proxy.Address, "proxied", watch, Tries, token);
            await TestContext.Out.WriteLineAsync(
                $"behind the proxy {proxied} of {Tries}; tor itself gave up {watch.GivenUp} streams, {watch.AnsweredLate} were late");

            // What tor gives up by itself, with its reason to the client, nobody in front of it can keep open.
            Assert.That(proxied, Is.LessThanOrEqualTo(hasFault ? watch.GivenUp : 0), string.Join('\n', watch.Story));
            while (kept.Count > 0)
                await Task.Delay(20, token);
        }

        int direct = await CountTakenAsync(socks, "direct", watch, hasFault ? 1 : Tries, token);
        if (hasFault && direct == 0)
            await TestContext.Out.WriteLineAsync($"tor {watch.Version} has the fault, not met in {Tries} tries");
        if (!hasFault)
            Assert.That(direct, Is.Zero);
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

    /// <summary>Circuits to onion services that were ready at a certain moment, and the one that a stream of after that took.</summary>
    private sealed class ReadyCircuits : IAsyncDisposable
    {
        private readonly ControlConnection _control;
        private readonly ControlSubscription _events;
        private readonly HashSet<string> _ready = [];

        // Streams since the mark. One of before may be answered later, on the circuit that was its own all along.
        private readonly HashSet<string> _asked = [];
        private readonly List<string> _story = [];

        private ReadyCircuits(ControlConnection control)
        {
            _control = control;
            _events = control.Subscribe(16_384);
            Version = TorVersion.TryParse(control.Info.TorVersion)!.Value;
        }

        public TorVersion Version { get; }

        /// <summary>Streams that tor refused or gave up, as opposed to those that their client closed.</summary>
        public int GivenUp { get; private set; }

        /// <summary>Streams of before the mark that were answered behind it, each on the circuit that was its own all along.</summary>
        public int AnsweredLate { get; private set; }

        /// <summary>The events of the streams that were carried by a circuit of somebody else, and what led to them.</summary>
        public List<string> Story { get; } = [];

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
            _asked.Clear();
        }

        /// <summary>Closes them: what was left over by one way must not be taken for the other's.</summary>
        public async Task CloseReadyAsync(CancellationToken token)
        {
            Mark();
            foreach (string circuit in _ready)
                await _control.CloseCircuitAsync(circuit, onlyIfUnused: false, token);
            _ready.Clear();
            _story.Clear();
            GivenUp = 0;
        }

        /// <summary>Of the next stream that is open.</summary>
        public async Task<bool> TookReadyCircuitAsync(CancellationToken token)
        {
            var before = _ready.ToHashSet();
            while (true)
            {
                var message = await _events.Events.ReadAsync(token);
                Observe(message);
                if (message is not StreamEvent { Stream: { Status: StreamStatus.Succeeded, CircuitId: { } circuit, Id: var stream } }
                    || !_asked.Contains(stream))
                {
                    AnsweredLate += message is StreamEvent { Stream: { Status: StreamStatus.Succeeded, CircuitId: { } own } }
                        && before.Contains(own) ? 1 : 0;
                    continue;
                }

                if (!before.Contains(circuit))
                    return false;
                Story.Add($"stream {stream} took circuit {circuit}:");
                Story.AddRange(_story);
                return true;
            }
        }

        public async ValueTask DisposeAsync()
        {
            _events.Dispose();
            await _control.DisposeAsync();
        }

        private void Observe(ControlEvent message)
        {
            switch (message)
            {
                case StreamEvent { Stream: { Target: var target } stream } when target.Contains(".onion", StringComparison.Ordinal):
                    _story.Add($"stream {stream.Id} {stream.Status} on {stream.CircuitId} of {stream.SocksPassword}: {stream.Reason}");
                    if (stream.Status == StreamStatus.New)
                        _asked.Add(stream.Id);
                    if (stream.Status == StreamStatus.Failed)
                        GivenUp++;
                    break;
                case CircuitEvent { Circuit: var circuit }:
                    CircuitChanged(circuit, message);
                    break;
                case CircuitMinorEvent { Circuit: var circuit }:
                    CircuitChanged(circuit, message);
                    break;
            }
        }

        private void CircuitChanged(CircuitInfo circuit, ControlEvent message)
        {
            string state = message.Keywords["HS_STATE"] ?? "";
            if (state.Length > 0)
                _story.Add($"circuit {circuit.Id} {circuit.Status} {state} of {circuit.SocksPassword}");
            if (state == "HSCR_JOINED")
                _ready.Add(circuit.Id);
        }
    }
}
