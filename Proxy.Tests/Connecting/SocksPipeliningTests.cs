using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>Workers that lose what comes behind the greeting, and those that only take their time.</summary>
[CancelAfter(30_000)]
public class SocksPipeliningTests
{
    [TestCase(false)]
    [TestCase(true)]
    public async Task A_worker_that_reads_one_message_at_a_time_is_served_and_named_once(bool isolated, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReadsOneMessageAtATime = true };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint]);
        for (int i = 0; i < 3; i++)
        {
            await using var client = await proxy.ConnectAsync();
            Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token, isolated ? "somebody" : null, "x"))[1], Is.Zero);
            await client.WriteAsync("x"u8.ToArray(), token);
            await client.ReadExactlyAsync(new byte[1], token);
        }

        Assert.That(proxy.Log.OfEvent("OneMessageAtATime").Count(), Is.EqualTo(1));
        Assert.That(
            worker.Requests.Count(static request => request is { Command: 1, Host: "a.example" }), Is.EqualTo(3), "none arrived twice");
    }

    [Test]
    public async Task The_first_probe_finds_it_out_before_any_client(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReadsOneMessageAtATime = true };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
        {
            options.Health.Enabled = true;
            options.Health.Canary = ["a.example:80"];
        });
        proxy.StartProber();
        var state = proxy.Pool.Find("worker-01")!;
        while (proxy.Probes.Of(state.Id).Count == 0)
            await Task.Delay(10, token);

        Assert.That(
            proxy.Probes.Of(state.Id)[0].Report.Steps.Single(static step => step.Name == "socks").Detail,
            Is.EqualTo("05 00, one message at a time"));
        Assert.That(proxy.Probes.Of(state.Id)[0].Report.Passed, Is.True);
        Assert.That(proxy.Get<SocksPipelining>().Of(state.Model), Is.False);
    }

    /// <summary>A circuit may take a minute: the worker is asked, and the request goes on where it is.</summary>
    [Test]
    public async Task A_worker_whose_answer_is_late_keeps_its_request(CancellationToken token)
    {
        var built = new TaskCompletionSource();
        await using var worker = new FakeTorWorker { ReplyGate = built.Task, Reply = request => { Answer(request); return 0; } };
        var (dialer, pipelining) = Dialer();
        var model = new WorkerModel("w", worker.EndPoint);
        var dialling = DialAsync(dialer, model, token);

        // The question comes over a connection of its own; its answer is held up by the same gate, so it is answered here.
        while (worker.Accepted < 2)
            await Task.Delay(10, token);
        built.SetResult();
        var result = await dialling;
        await using var connection = result.Connection;

        Assert.That(result.Error.IsError, Is.False);
        Assert.That(worker.Requests.Count(static request => request.Command == 1), Is.EqualTo(1));
        Assert.That(pipelining.Of(model), Is.True);

        static void Answer(FakeWorkerRequest request) => Assert.That(request.Command is 1 or 0xF0, Is.True);
    }

    [Test]
    public async Task A_worker_that_has_answered_once_is_never_asked(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        var (dialer, pipelining) = Dialer();
        var model = new WorkerModel("w", worker.EndPoint);
        for (int i = 0; i < 2; i++)
        {
            var result = await DialAsync(dialer, model, token);
            await result.Connection!.DisposeAsync();
        }

        Assert.That((pipelining.Of(model), worker.Accepted), Is.EqualTo(((bool?)true, 2)));
        Assert.That(
            pipelining.Of(model with { SocksEndPoint = new UnixDomainSocketEndPoint("/elsewhere") }), Is.Null,
            "at another address it is a stranger");
    }

    [Test]
    public async Task What_was_found_out_is_found_out_again_when_the_worker_comes_back(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReadsOneMessageAtATime = true };
        using var log = new ListLogger();
        var pipelining = new SocksPipelining(
            new SocketTransport(TimeProvider.System), new Microsoft.Extensions.Logging.Logger<SocksPipelining>(log));
        var model = new WorkerModel("w", worker.EndPoint);
        Assert.That(await pipelining.CheckAsync(model, token), Is.False);
        worker.ReadsOneMessageAtATime = false;
        Assert.That(await pipelining.CheckAsync(model, token), Is.False, "known is known");
        pipelining.Forget(model);
        Assert.That(await pipelining.CheckAsync(model, token), Is.True);
        worker.ReadsOneMessageAtATime = true;
        pipelining.Forget(model);
        Assert.That(await pipelining.CheckAsync(model, token), Is.False);
        Assert.That(log.OfEvent("OneMessageAtATime").Count(), Is.EqualTo(1), "said once");
    }

    /// <summary>Only the silence behind the greeting counts: a far worker may take its time until there.</summary>
    [Test]
    public async Task A_worker_that_greets_late_is_found_out_all_the_same(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var worker = new FakeTorWorker { ReadsOneMessageAtATime = true, FaultOf = static _ => GreetingFault.Silence };
        var pipelining = new SocksPipelining(new SocketTransport(TimeProvider.System), time: clock, workerTimeout: TimeSpan.FromSeconds(5));
        var checking = pipelining.CheckAsync(new WorkerModel("w", worker.EndPoint), token);
        while (worker.Accepted < 1)
            await Task.Delay(10, token);
        clock.Advance(SocksPipelining.Patience * 3);
        worker.GreetLate();

        // Its silence begins when the greeting has been read.
        while (clock.UntilNextTimer != SocksPipelining.Patience)
            await Task.Delay(10, token);
        clock.Advance(SocksPipelining.Patience);
        Assert.That(await checking, Is.False);
    }

    [Test]
    public async Task A_check_that_brought_nothing_is_made_again_while_the_answer_is_awaited(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        int greeted = 0;
        await using var worker = new FakeTorWorker
        {
            ReadsOneMessageAtATime = true,
            FaultOf = _ => Interlocked.Increment(ref greeted) == 1 ? GreetingFault.Close : GreetingFault.None,
        };
        var pipelining = new SocksPipelining(new SocketTransport(TimeProvider.System), time: clock);
        var checking = pipelining.CheckLateAsync(new WorkerModel("w", worker.EndPoint), token);
        while (!checking.IsCompleted)
        {
            await Task.Delay(10, token);
            clock.Advance(SocksPipelining.Patience / 4);
        }

        Assert.That(await checking, Is.False);
        Assert.That(worker.Accepted, Is.GreaterThan(1));
    }

    [Test]
    public async Task That_a_worker_reads_one_message_at_a_time_is_doubted_after_a_while(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var worker = new FakeTorWorker();
        var pipelining = new SocksPipelining(new SocketTransport(TimeProvider.System), time: clock);
        var model = new WorkerModel("w", worker.EndPoint);
        pipelining.Fails(model);
        Assert.That(await pipelining.CheckAsync(model, token), Is.False);
        clock.Advance(SocksPipelining.DoubtAfter);
        Assert.That(await pipelining.CheckAsync(model, token), Is.True);
        Assert.That(pipelining.Of(model), Is.True);
    }

    [TestCase("duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion", (byte)1)]
    [TestCase("a.example", (byte)0xF0)]
    public async Task A_worker_that_is_not_tor_is_never_asked_for_what_only_tor_knows(string host, byte command, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([new WorkerModel("other", worker.EndPoint) { IsTor = false }]);
        await using var client = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(client, host, 80, token, command: command))[1], Is.Not.Zero);
        Assert.That((worker.Accepted, proxy.Pool.Find("other")!.TotalFailures), Is.EqualTo((0, 0L)), "not asked, and not blamed");
    }

    private static (WorkerDialer Dialer, SocksPipelining Pipelining) Dialer()
    {
        var transport = new SocketTransport(TimeProvider.System);
        var pipelining = new SocksPipelining(transport);
        return (new WorkerDialer(transport, new ConnectOptions(), TimeProvider.System, null, pipelining), pipelining);
    }

    private static Task<DialResult> DialAsync(WorkerDialer dialer, WorkerModel model, CancellationToken token)
    {
        HostEndPoint.TryCreate("a.example", 80, out var target);
        return dialer.DialAsync(model, ProxyCommand.Connect, target, IsolationToken.None, TimeSpan.FromSeconds(20), token).AsTask();
    }
}
