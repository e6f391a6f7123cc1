using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Health;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>What ends a worker's tunnels, and what does not.</summary>
[CancelAfter(30_000)]
public class GoneWatchTests
{
    [Test]
    public async Task Tunnels_of_a_worker_whose_process_is_gone_are_ended(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using var client = await OpenIdleAsync(proxy, token);

        Fail(proxy, FailureCause.WorkerRefused);

        Assert.That(await EndAsync(proxy, token), Is.EqualTo("worker_gone"));
    }

    [Test]
    public async Task Tunnels_of_a_worker_whose_host_cannot_be_reached_are_ended(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using var client = await OpenIdleAsync(proxy, token);

        Fail(proxy, FailureCause.WorkerUnreachable);

        Assert.That(await EndAsync(proxy, token), Is.EqualTo("worker_gone"));
    }

    /// <summary>A process that is paused, overloaded or out of descriptors looks like this, and carries on what it has.</summary>
    [TestCase(FailureCause.WorkerTimeout)]
    [TestCase(FailureCause.WorkerClosed)]
    [TestCase(FailureCause.WorkerProtocol)]
    public async Task A_worker_that_takes_nothing_new_keeps_its_tunnels(FailureCause cause, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using var idle = await OpenAsync(proxy, token);

        Fail(proxy, cause);

        var state = proxy.Pool.Find("worker-01")!;
        Assert.That(state.Operational, Is.EqualTo(WorkerOperationalState.Recovery));
        Assert.That(proxy.Health.Of(state).Gone, Is.Null, "nobody looks at its tunnels");
        await EchoAsync(idle, token);
    }

    /// <summary>
    /// Bytes say more than a port that is closed: tor closes it, and carries on, when its accounting is used up or its configuration says
    /// so.
    /// </summary>
    [Test]
    public async Task A_tunnel_that_moved_bytes_lately_is_spared([Values] EngineKind engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, engine: engine);
        await using var idle = await OpenIdleAsync(proxy, token);
        await using var used = await OpenAsync(proxy, token);

        Fail(proxy, FailureCause.WorkerRefused);
        Assert.That(await EndAsync(proxy, token), Is.EqualTo("worker_gone"), "the idle one");

        // It was silent from the proof to the verdict, and is in use all the same.
        await EchoAsync(used, token);
        Assert.That(proxy.Log.OfEvent("access").Count(), Is.EqualTo(1));
    }

    [Test]
    public void A_verdict_ends_what_was_silent_for_a_minute_and_is_repeated_by_later_proofs()
    {
        var clock = new ManualTimeProvider();
        var tunnels = new Tunnels();
        int ended = 0;
        using var watch = new GoneWatch("w", tunnels, clock, (_, count) => ended += count);
        for (int proof = 1; proof <= 3; proof++)
        {
            watch.Proven(onlyOverLink: false, isFinal: true, isDead: true);
            clock.Advance(GoneWatch.Grace);
            Assert.That(tunnels.Verdicts, Is.EqualTo(Enumerable.Repeat(TimeSpan.FromSeconds(60), proof)));
        }

        Assert.That(ended, Is.EqualTo(3));
        watch.Refuted();
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That(tunnels.Verdicts, Has.Count.EqualTo(3));
    }

    /// <summary>Each goes over all connections.</summary>
    [Test]
    public void Failed_dials_do_not_look_for_tunnels_again_and_again()
    {
        var clock = new ManualTimeProvider();
        var tunnels = new Tunnels { Any = false };
        using var watch = new GoneWatch("w", tunnels, clock, static (_, _) => { });
        for (int i = 0; i < 100; i++)
            Assert.That(watch.Proven(onlyOverLink: false, isFinal: false, isDead: false), Is.False);
        Assert.That(tunnels.Looks, Is.EqualTo(1));
        clock.Advance(GoneWatch.Grace);
        tunnels.Any = true;
        for (int i = 0; i < 100; i++)
            Assert.That(watch.Proven(onlyOverLink: false, isFinal: false, isDead: false), Is.EqualTo(i == 0));
        Assert.That((tunnels.Looks, tunnels.Verdicts.Count), Is.EqualTo((2, 0)));
    }

    [Test]
    public async Task SinceMoved_is_the_time_since_the_last_byte(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(
            [worker.EndPoint], static options => options.Engine.Transport = EngineKind.Sockets, clock);
        await using var client = await OpenAsync(proxy, token);
        var connections = proxy.Get<IWorkerConnections>();
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.That(connections.EndSilent("worker-01", onlyOverLink: false, GoneWatch.Silence), Is.Zero);
        await EchoAsync(client, token);
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.That(connections.EndSilent("worker-01", onlyOverLink: false, GoneWatch.Silence), Is.Zero);
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.That(connections.HasTunnels("worker-01", onlyOverLink: false), Is.True);
        Assert.That(connections.HasTunnels("worker-02", onlyOverLink: false), Is.False);
        Assert.That(connections.EndSilent("worker-01", onlyOverLink: false, GoneWatch.Silence), Is.EqualTo(1));
    }

    /// <summary>Nothing listens any more, and connections stay: the second look ends them, long before the worker counts as dead.</summary>
    [Test]
    public async Task A_port_that_refuses_twice_ends_idle_tunnels(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, failureThreshold: 100);
        proxy.StartProber();
        await using var client = await OpenIdleAsync(proxy, token);

        worker.StopListening();
        proxy.Health.DialFailed(proxy.Pool.Find("worker-01")!, new ProxyError(FailureCause.WorkerRefused));

        Assert.That(await EndAsync(proxy, token), Is.EqualTo("worker_gone"));
        Assert.That(proxy.Pool.Find("worker-01")!.Operational, Is.EqualTo(WorkerOperationalState.Suspect));
    }

    [Test]
    public async Task A_refusal_that_the_next_look_refutes_ends_nothing(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, failureThreshold: 100);
        proxy.StartProber();
        await using var client = await OpenAsync(proxy, token);
        var state = proxy.Pool.Find("worker-01")!;

        proxy.Health.DialFailed(state, new ProxyError(FailureCause.WorkerRefused));
        Assert.That(proxy.Health.Of(state).Gone!.IsWatching, Is.True);
        while (proxy.Health.Of(state).Gone!.IsWatching)
            await Task.Delay(10, token);

        await EchoAsync(client, token);
        Assert.That(proxy.Log.OfEvent("access"), Is.Empty);
    }

    [TestCase(SocketError.ConnectionRefused, GoneProof.Refused)]
    [TestCase(SocketError.HostUnreachable, GoneProof.Unreachable)]
    [TestCase(SocketError.HostDown, GoneProof.Unreachable)]
    [TestCase(SocketError.NetworkUnreachable, GoneProof.None)]
    [TestCase(SocketError.TimedOut, GoneProof.None)]
    [TestCase(SocketError.WouldBlock, GoneProof.None)]
    [TestCase(SocketError.TooManyOpenSockets, GoneProof.None)]
    [TestCase(SocketError.AddressNotAvailable, GoneProof.None)]
    public void A_connect_proves_what_only_the_other_end_can_cause(SocketError error, object proof) =>
        Assert.That(GoneProofs.FromConnect(error), Is.EqualTo(proof));

    private static Task<ProxyUnderTest> StartAsync(FakeTorWorker worker, int failureThreshold = 3, EngineKind engine = EngineKind.Auto) =>
        ProxyUnderTest.StartAsync([worker.EndPoint], options =>
    {
        options.Engine.Transport = engine;
        options.Health.Enabled = true;
        options.Health.FailureThreshold = failureThreshold;
        options.Health.Canary = ["a.example:80"];
    });

    private static void Fail(ProxyUnderTest proxy, FailureCause cause)
    {
        for (int i = 0; i < 3; i++)
            proxy.Health.DialFailed(proxy.Pool.Find("worker-01")!, new ProxyError(cause));
    }

    private static async Task<NetworkStream> OpenAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        var client = await OpenIdleAsync(proxy, token);
        await EchoAsync(client, token);
        return client;
    }

    private static async Task<NetworkStream> OpenIdleAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        var client = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.Zero);
        return client;
    }

    private static async Task EchoAsync(NetworkStream client, CancellationToken token)
    {
        await client.WriteAsync("x"u8.ToArray(), token);
        await client.ReadExactlyAsync(new byte[1], token);
    }

    private static async Task<string> EndAsync(ProxyUnderTest proxy, CancellationToken token) =>
        AccessEntry.Field((await proxy.Log.WaitForConnectionsAsync(1, token))[0], "end");

    private sealed class Tunnels : IWorkerConnections
    {
        public bool Any { get; set; } = true;

        public int Looks { get; private set; }

        public List<TimeSpan> Verdicts { get; } = [];

        public int EndTunnels(string workerId) => 0;

        public bool HasTunnels(string workerId, bool onlyOverLink)
        {
            Looks++;
            return Any;
        }

        public int EndSilent(string workerId, bool onlyOverLink, TimeSpan silence)
        {
            Verdicts.Add(silence);
            return 1;
        }
    }
}
