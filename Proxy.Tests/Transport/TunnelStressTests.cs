using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Tests.Transport;

/// <summary>
/// Many tunnels of all fates at a time, every byte compared. TORBALANCER_STRESS_TUNNELS=100000 makes it long (some minutes);
/// TORBALANCER_STRESS_SEED repeats a run.
/// </summary>
[TestFixtureSource(nameof(Engines))]
public class TunnelStressTests(string engine)
{
    private const int DefaultTunnels = 400, AtATime = 24, MostPieces = 12;

    // Two socket buffers of ours and two of the peers, as far as the kernel lets them grow by itself.
    private const long MostBuffered = 64 * 1024 * 1024;

    private readonly ConcurrentBag<Exception> _faults = [];

    public static IEnumerable<string> Engines => ["sockets", "linux, 1 loop", "linux, 2 loops", "linux, 2 pipes"];

    [OneTimeTearDown]
    public void Nothing_was_thrown_on_a_loop() => Assert.That(_faults, Is.Empty);

    [Test, CancelAfter(3_600_000)]
    public async Task Tunnels_of_every_fate_carry_every_byte(CancellationToken token)
    {
        int tunnels = Number("TORBALANCER_STRESS_TUNNELS", DefaultTunnels), seed = Number("TORBALANCER_STRESS_SEED", Environment.TickCount);
        TestContext.Out.WriteLine($"{tunnels} tunnels, TORBALANCER_STRESS_SEED={seed}");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(TimeSpan.FromSeconds(60 + (tunnels / 50)));
        await using var rig = new TunnelRig(CreateEngine());
        int next = 0;
        await Task.WhenAll(Enumerable.Range(0, AtATime).Select(async _ =>
        {
            for (int index; (index = Interlocked.Increment(ref next)) <= tunnels;)
                await RunOneAsync(rig, new Random((seed * 31) + index), limit.Token);
        }));
    }

    [Test, CancelAfter(300_000)]
    public async Task Tunnels_on_loops_that_get_no_processor_carry_every_byte(CancellationToken token)
    {
        var loops = CreateLoops();
        await using var rig = new TunnelRig(CreateEngine(loops));
        using var stop = new CancellationTokenSource();
        EventLoop[] starved = loops is null ? [] : [.. loops.All];
        var starving = starved.Select((loop, index) => Task.Run(() => StarveAsync(loop, new Random(index), stop.Token), token)).ToList();
        int seed = Number("TORBALANCER_STRESS_SEED", Environment.TickCount);
        TestContext.Out.WriteLine($"TORBALANCER_STRESS_SEED={seed}");
        try
        {
            await Task.WhenAll(Enumerable.Range(0, AtATime).Select(async index =>
            {
                for (int i = 0; i < 3; i++)
                    await RunOneAsync(rig, new Random((seed * 31) + (index * 3) + i), token);
            }));
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(starving);
        }
    }

    [Test, CancelAfter(120_000)]
    public async Task A_peer_that_never_reads_fills_its_own_tunnel_and_stops_nobody_else(CancellationToken token)
    {
        await using var rig = new TunnelRig(CreateEngine());
        using var stuck = await rig.OpenAsync(token);
        long sent = await FillAsync(stuck, token);
        Assert.That(sent, Is.InRange(1, MostBuffered));
        long carried = stuck.Counters.FromUpstream;

        for (int i = 0; i < 20; i++)
            await RunOneAsync(rig, new Random(i), token);
        Assert.That(stuck.Counters.FromUpstream, Is.EqualTo(carried), "nothing more was taken from the worker meanwhile");
        Assert.That(stuck.End.IsCompleted, Is.False);

        // It reads after all, and nothing is missing.
        stuck.Worker.Shutdown(SocketShutdown.Send);
        var reader = new StressPeer(stuck.Client, sends: 0, receives: stuck.Id, StressFate.Finish, pieces: 0, new Random(1));
        Assert.That(await reader.RunAsync(token), Is.EqualTo(StressEnd.Finished));
        Assert.That(reader.Received, Is.EqualTo(sent));
        Assert.That(await stuck.End.WaitAsync(token), Is.EqualTo(TunnelEnd.Finished));
    }

    [Test, CancelAfter(120_000)]
    public async Task Eight_streams_at_full_speed_do_not_keep_a_small_message_waiting(CancellationToken token)
    {
        await using var rig = new TunnelRig(CreateEngine());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var streams = new List<RiggedTunnel>();
        for (int i = 0; i < 8; i++)
            streams.Add(await rig.OpenAsync(token));
        var flowing = streams.Select(stream => FlowAsync(stream, stop.Token)).ToList();

        // Each message takes its turn among the streams'; how long that is the benchmark says, here it is that it comes at all.
        using var small = await rig.OpenAsync(token);
        var ping = new byte[64];
        for (int i = 0; i < 50; i++)
        {
            await small.Client.SendAsync(ping, SocketFlags.None, token);
            await ReceiveExactlyAsync(small.Worker, ping, token);
            await small.Worker.SendAsync(ping, SocketFlags.None, token);
            await ReceiveExactlyAsync(small.Client, ping, token);
        }

        await stop.CancelAsync();
        await Task.WhenAll(flowing);
        streams.ForEach(static stream => stream.Dispose());
    }

    private ITransport CreateEngine() => CreateEngine(CreateLoops());

    private static ITransport CreateEngine(EventLoops? loops) =>
        loops is null ? new SocketTransport(TimeProvider.System) : new LinuxTransport(loops, default);

    /// <summary>Null: the engine has none.</summary>
    private EventLoops? CreateLoops() => engine switch
    {
        "sockets" => null,
        "linux, 1 loop" => new EventLoops(1, _faults.Add),
        "linux, 2 loops" => new EventLoops(2, _faults.Add),

        // As under descriptor pressure: few may splice, and what had a pipe may get none the next time.
        "linux, 2 pipes" => new EventLoops(1, _faults.Add, pipes: 2),
        _ => throw new ArgumentOutOfRangeException(nameof(engine)),
    };

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    /// <summary>Takes the loop's thread away for up to 20 ms, again and again.</summary>
    private static async Task StarveAsync(EventLoop loop, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var held = new Hold(random.Next(20));
            loop.Post(held);
            await held.Ended.Task;
        }
    }

    private static async Task RunOneAsync(TunnelRig rig, Random random, CancellationToken token)
    {
        using var tunnel = await rig.OpenAsync(token);
        var (clientFate, workerFate) = random.Next(6) switch
        {
            0 => (StressFate.Reset, StressFate.Stay),
            1 => (StressFate.Stay, StressFate.Reset),
            2 => (StressFate.Finish, StressFate.FinishSecond),
            3 => (StressFate.FinishSecond, StressFate.Finish),
            _ => (StressFate.Finish, StressFate.Finish),
        };
        long upwards = tunnel.Id * 2, downwards = upwards + 1;
        var client = new StressPeer(tunnel.Client, upwards, downwards, clientFate, random.Next(MostPieces), random);
        var worker = new StressPeer(tunnel.Worker, downwards, upwards, workerFate, random.Next(MostPieces), new Random(random.Next()));
        var running = (Client: client.RunAsync(token), Worker: worker.RunAsync(token));
        var (clientEnd, workerEnd, end) = (await running.Client, await running.Worker, await tunnel.End.WaitAsync(token));

        if (clientFate == StressFate.Reset)
        {
            Assert.That((workerEnd, end), Is.EqualTo((StressEnd.Reset, TunnelEnd.ClientReset)), "what was cut must not look finished");
            Assert.That(worker.Received, Is.LessThanOrEqualTo(client.Sent));
            return;
        }

        if (workerFate == StressFate.Reset)
        {
            Assert.That((clientEnd, end), Is.EqualTo((StressEnd.Reset, TunnelEnd.UpstreamReset)), "what was cut must not look finished");
            Assert.That(client.Received, Is.LessThanOrEqualTo(worker.Sent));
            return;
        }

        Assert.That((clientEnd, workerEnd, end), Is.EqualTo((StressEnd.Finished, StressEnd.Finished, TunnelEnd.Finished)));
        Assert.That((worker.Received, client.Received), Is.EqualTo((client.Sent, worker.Sent)));
        Assert.That(
            (tunnel.Counters.FromClient, tunnel.Counters.FromUpstream), Is.EqualTo((client.Sent + TunnelRig.HeaderLength, worker.Sent)));
    }

    /// <summary>Sends from the worker's end until nothing goes further for a while, and gives how much went.</summary>
    private static async Task<long> FillAsync(RiggedTunnel tunnel, CancellationToken token)
    {
        tunnel.Worker.Blocking = false;
        long sent = 0;
        for (int refused = 0; refused < 40;)
        {
            int count = tunnel.Worker.Send(StressData.At(tunnel.Id, sent, 64 * 1024).Span, SocketFlags.None, out var error);
            sent += error == SocketError.Success ? count : 0;
            refused = error == SocketError.Success ? 0 : refused + 1;
            if (refused > 0)
                await Task.Delay(5, token);
            Assert.That(sent, Is.LessThan(MostBuffered), "nobody reads, so somebody hoards");
        }

        return sent;
    }

    /// <summary>Sends from the worker's end and reads at the client's, as fast as both can, until it is stopped.</summary>
    private static async Task FlowAsync(RiggedTunnel tunnel, CancellationToken stop)
    {
        var sending = Task.Factory.StartNew(
            async () =>
            {
                while (!stop.IsCancellationRequested)
                    await tunnel.Worker.SendAsync(StressData.At(tunnel.Id, 0, 256 * 1024), SocketFlags.None, stop);
            },
            stop, TaskCreationOptions.None, TaskScheduler.Default).Unwrap();
        var buffer = new byte[64 * 1024];
        try
        {
            while (await tunnel.Client.ReceiveAsync(buffer, SocketFlags.None, stop) > 0)
                await Task.Yield();
            await sending;
        }
        catch (OperationCanceledException)
        {
            await sending.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private static async Task ReceiveExactlyAsync(Socket socket, Memory<byte> buffer, CancellationToken token)
    {
        while (!buffer.IsEmpty)
        {
            int count = await socket.ReceiveAsync(buffer, SocketFlags.None, token);
            if (count == 0)
                throw new EndOfStreamException();
            buffer = buffer[count..];
        }
    }

    private sealed class Hold(int milliseconds) : ILoopWork
    {
        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run()
        {
            Ended.Task.Wait(milliseconds);
            Ended.SetResult();
        }
    }
}
