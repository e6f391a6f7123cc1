using System.Net.Sockets;
using TorBalancer.Health;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>What ends a worker's tunnels, and what does not.</summary>
[CancelAfter(30_000)]
public class WorkerGoneTests
{
    [Test]
    public async Task Tunnels_of_a_worker_whose_process_is_gone_are_ended(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using var client = await OpenAsync(proxy, token);

        Fail(proxy, FailureCause.WorkerRefused);

        Assert.That(await EndAsync(proxy, token), Is.EqualTo("worker_gone"));
    }

    [Test]
    public async Task Tunnels_of_a_worker_whose_host_cannot_be_reached_are_ended(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using var client = await OpenAsync(proxy, token);

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

    /// <summary>Bytes say more than a port that is closed: tor closes it, and carries on, when its accounting is used up or its configuration says so.</summary>
    [Test]
    public async Task A_tunnel_that_moves_bytes_is_spared_until_it_falls_silent(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker);
        await using var idle = await OpenAsync(proxy, token);
        await using var busy = await OpenAsync(proxy, token);
        using var falls = CancellationTokenSource.CreateLinkedTokenSource(token);
        var echoing = Task.Run(async () =>
        {
            int echoes = 0;
            for (; !falls.IsCancellationRequested; echoes++)
                await EchoAsync(busy, token);
            return echoes;
        }, token);

        Fail(proxy, FailureCause.WorkerRefused);
        Assert.That(await EndAsync(proxy, token), Is.EqualTo("worker_gone"), "the idle one");
        await falls.CancelAsync();
        Assert.That(await echoing, Is.Positive);
        await EchoAsync(busy, token);

        // What it moved until now is noted by the next verdict, and the one after that finds nothing new.
        while (proxy.Log.OfEvent("access").Count() < 2)
        {
            token.ThrowIfCancellationRequested();
            proxy.Health.DialFailed(proxy.Pool.Find("worker-01")!, new ProxyError(FailureCause.WorkerRefused));
            await Task.Delay(20, token);
        }

        Assert.That(proxy.Log.OfEvent("access").Select(static entry => AccessEntry.Field(entry, "end")), Is.All.EqualTo("worker_gone"));
    }

    /// <summary>Nothing listens any more, and connections stay: the second look ends them, long before the worker counts as dead.</summary>
    [Test]
    public async Task A_port_that_refuses_twice_ends_idle_tunnels(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, failureThreshold: 100);
        proxy.StartProber();
        await using var client = await OpenAsync(proxy, token);

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

    private static Task<ProxyUnderTest> StartAsync(FakeTorWorker worker, int failureThreshold = 3) => ProxyUnderTest.StartAsync([worker.EndPoint], options =>
    {
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
        var client = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.Zero);
        await EchoAsync(client, token);
        return client;
    }

    private static async Task EchoAsync(NetworkStream client, CancellationToken token)
    {
        await client.WriteAsync("x"u8.ToArray(), token);
        await client.ReadExactlyAsync(new byte[1], token);
    }

    private static async Task<string> EndAsync(ProxyUnderTest proxy, CancellationToken token) =>
        AccessEntry.Field((await proxy.Log.WaitForConnectionsAsync(1, token))[0], "end");
}
