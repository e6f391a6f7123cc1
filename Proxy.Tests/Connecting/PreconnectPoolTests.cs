using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

[TestFixture("sockets")]
[TestFixture("linux")]
[CancelAfter(60_000)]
public sealed class PreconnectPoolTests(string engine)
{
    [Test]
    public async Task Dial_takes_a_connection_that_stands_ready_and_another_replaces_it(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine, time: new ManualTimeProvider());
        int ready = await bench.PrepareAsync(token);
        Assert.That(bench.State.Active, Is.Zero, "it is nobody's connection");

        Assert.That(await bench.UseAsync(token), Is.EqualTo(ready));
        await PreconnectBench.Until(() => bench.Sockets.Count == 2, token);
        Assert.That(bench.Worker.Requests, Has.Count.EqualTo(2));
        Assert.That(await bench.UseAsync(token), Is.Not.EqualTo(ready), "each is used once");
    }

    [Test]
    public async Task As_many_stand_ready_as_were_used_lately_and_no_more_than_allowed(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine, time: new ManualTimeProvider(), options: new ConnectOptions { PreConnect = 3 });
        var open = new TaskCompletionSource();
        bench.Transport.Gate = open.Task;
        for (int i = 0; i < 6; i++)
            await bench.UseAsync(token);
        await PreconnectBench.Until(() => bench.Transport.InAdvance == 3, token);
        open.SetResult();
        await PreconnectBench.Until(() => bench.Sockets.Count == 3, token);
        Assert.That(bench.Transport.InAdvance, Is.EqualTo(3));
    }

    [Test]
    public async Task All_workers_together_have_no_more_than_the_limit(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine, time: new ManualTimeProvider());
        var others = Enumerable.Range(0, 10).Select(static _ => new FakeTorWorker()).ToList();
        var models = others.Select(static (worker, i) => new WorkerModel($"w{i}", worker.EndPoint)).ToList();
        bench.Pool.Apply(models);
        var open = new TaskCompletionSource();
        bench.Transport.Gate = open.Task;
        foreach (var model in models)
        {
            for (int i = 0; i < 8; i++)
                await bench.UseAsync(token, model);
        }

        await PreconnectBench.Until(() => bench.Transport.InAdvance == PreconnectPool.MostInAll, token);
        open.SetResult();
        await PreconnectBench.Until(() => bench.Sockets.Count == PreconnectPool.MostInAll, token);
        Assert.That(bench.Transport.InAdvance, Is.EqualTo(PreconnectPool.MostInAll));
        foreach (var other in others)
            await other.DisposeAsync();
    }

    [Test]
    public async Task Workers_on_this_machine_get_none(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine, includesLoopback: false);
        for (int i = 0; i < 20; i++)
            await bench.UseAsync(token);
        Assert.That(bench.Transport.InAdvance, Is.Zero);
    }

    [Test]
    public async Task One_that_nobody_uses_is_closed_after_its_time(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var bench = new PreconnectBench(engine, time: clock);
        await bench.PrepareAsync(token);
        for (var age = PreconnectPool.LookInterval; age < PreconnectPool.Longest; age += PreconnectPool.LookInterval)
        {
            await PreconnectBench.Until(() => clock.UntilNextTimer is not null, token);
            clock.Advance(PreconnectPool.LookInterval);
            Assert.That(bench.Sockets.Count, Is.EqualTo(1));
        }

        while (bench.Sockets.Count > 0)
        {
            clock.Advance(PreconnectPool.LookInterval);
            await Task.Delay(2, token);
        }

        await PreconnectBench.Until(() => bench.Worker.Open == 0 && clock.Timers == 0, token);
        Assert.That(bench.Transport.InAdvance, Is.EqualTo(1), "what grew old was not wanted");
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task One_that_dies_when_it_is_used_costs_nobody_anything(bool byReset, CancellationToken token)
    {
        var fault = byReset ? GreetingFault.Reset : GreetingFault.Close;
        await using var bench = new PreconnectBench(engine);
        bench.Worker.FaultOf = number => number == 2 ? fault : GreetingFault.None;
        int ready = await bench.PrepareAsync(token);

        Assert.That(await bench.UseAsync(token), Is.Not.EqualTo(ready));
        Assert.That(bench.Worker.Requests, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task One_that_stays_silent_is_given_up_after_half_of_the_workers_time(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var bench = new PreconnectBench(engine, time: clock);
        bench.Worker.FaultOf = static number => number == 2 ? GreetingFault.Silence : GreetingFault.None;
        int ready = await bench.PrepareAsync(token);

        var dialling = bench.UseAsync(token);
        Assert.That(dialling.IsCompleted, Is.False);
        clock.Advance(bench.Options.WorkerTimeout / 2);
        Assert.That(await dialling, Is.Not.EqualTo(ready));
    }

    [Test]
    public async Task A_new_connection_in_the_place_of_a_silent_one_has_the_workers_whole_time(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var bench = new PreconnectBench(engine, time: clock);
        bench.Worker.FaultOf = static number => number > 1 ? GreetingFault.Silence : GreetingFault.None;
        int ready = await bench.PrepareAsync(token);

        bench.Transport.Gate = new TaskCompletionSource().Task;
        var dialling = bench.UseAsync(token);
        clock.Advance(bench.Options.WorkerTimeout / 2);
        await PreconnectBench.Until(() => bench.Worker.Accepted == 3, token);
        clock.Advance(bench.Options.WorkerTimeout * 0.9);
        bench.Worker.GreetLate();
        Assert.That(await dialling, Is.Not.EqualTo(ready));
    }

    [Test]
    public async Task A_new_connection_that_stays_silent_too_is_the_workers_fault_when_its_whole_time_is_over(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var bench = new PreconnectBench(engine, time: clock);
        bench.Worker.FaultOf = static number => number > 1 ? GreetingFault.Silence : GreetingFault.None;
        await bench.PrepareAsync(token);

        bench.Transport.Gate = new TaskCompletionSource().Task;
        var dialling = bench.DialAsync(token);
        clock.Advance(bench.Options.WorkerTimeout / 2);
        await PreconnectBench.Until(() => bench.Worker.Accepted == 3, token);
        while (!dialling.IsCompleted)
        {
            clock.Advance(bench.Options.WorkerTimeout / 2);
            await Task.Delay(2, token);
        }

        Assert.That((await dialling).Error.Cause, Is.EqualTo(FailureCause.WorkerTimeout));
    }

    [Test]
    public async Task Those_of_a_worker_that_has_restarted_are_thrown_away(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine);
        int ready = await bench.PrepareAsync(token);
        bench.Worker.CloseAll();

        Assert.That(await bench.UseAsync(token), Is.Not.EqualTo(ready));
    }

    [Test]
    public async Task Worker_that_is_gone_is_refused_as_ever(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine);
        await bench.PrepareAsync(token);
        await bench.Worker.DisposeAsync();

        Assert.That((await bench.DialAsync(token)).Error.Cause, Is.EqualTo(FailureCause.WorkerRefused));
        Assert.That(bench.Sockets.Count, Is.Zero);
    }

    [TestCase("drained")]
    [TestCase("dead")]
    [TestCase("removed")]
    [TestCase("moved")]
    public async Task Those_of_a_worker_that_may_not_be_used_are_closed(string how, CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine);
        await using var elsewhere = new FakeTorWorker();
        await bench.PrepareAsync(token);
        switch (how)
        {
            case "drained":
                bench.Pool.SetAdministrative(bench.State, WorkerAdministrativeState.Draining);
                break;
            case "dead":
                bench.Pool.SetOperational(bench.State, WorkerOperationalState.Dead, "");
                break;
            case "removed":
                bench.Pool.Apply([]);
                break;
            default:
                bench.Pool.Apply([new WorkerModel("w", elsewhere.EndPoint)]);
                await bench.UseAsync(token);
                Assert.That(elsewhere.Requests, Has.Count.EqualTo(1));
                break;
        }

        await PreconnectBench.Until(() => bench.Worker.Open == 0, token);
        await PreconnectBench.Until(() => bench.Sockets.Count == elsewhere.Open, token);
    }

    [Test]
    public async Task One_that_arrives_when_its_worker_is_drained_is_closed(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine);
        var open = new TaskCompletionSource();
        bench.Transport.Gate = open.Task;
        await bench.UseAsync(token);
        await PreconnectBench.Until(() => bench.Transport.InAdvance == 1, token);
        bench.Pool.SetAdministrative(bench.State, WorkerAdministrativeState.Draining);
        open.SetResult();
        await PreconnectBench.Until(() => bench.Worker is { Accepted: 2, Open: 0 } && bench.Sockets.Count == 0, token);
    }

    [Test]
    public async Task Connect_in_advance_that_fails_is_tried_again_only_after_an_ordinary_one(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine, time: new ManualTimeProvider());
        bench.Transport.Error = SocketError.TooManyOpenSockets;
        await bench.UseAsync(token);
        await PreconnectBench.Until(() => bench.Transport.InAdvance == 1, token);

        bench.Transport.Error = SocketError.Success;
        await bench.UseAsync(token);
        await PreconnectBench.Until(() => bench.Sockets.Count == 2, token);
        Assert.That(bench.Transport.InAdvance, Is.EqualTo(3));
        Assert.That(bench.State.TotalFailures, Is.Zero);
    }

    [Test]
    public async Task Dispose_closes_what_stands_and_ends_what_is_under_way(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine);
        await bench.PrepareAsync(token);
        bench.Transport.Gate = new TaskCompletionSource().Task;
        await bench.UseAsync(token);
        await PreconnectBench.Until(() => bench.Transport.InAdvance > 1, token);

        await bench.Sockets.DisposeAsync();
        Assert.That(bench.Sockets.Count, Is.Zero);
        await PreconnectBench.Until(() => bench.Worker.Open == 0, token);
        await bench.UseAsync(token);
    }

    [Test]
    public async Task Dial_that_nobody_waits_for_closes_the_connection_that_it_took(CancellationToken token)
    {
        await using var bench = new PreconnectBench(engine, options: new ConnectOptions { PreConnect = 1 });
        await bench.PrepareAsync(token);
        var open = new TaskCompletionSource();
        bench.Worker.ReplyGate = open.Task;
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(token);
        var dialling = bench.DialAsync(cancel.Token);
        await PreconnectBench.Until(() => bench.Worker.Requests.Count == 2, token);
        await cancel.CancelAsync();

        Assert.That(async () => await dialling, Throws.InstanceOf<OperationCanceledException>());
        open.SetResult();
        await PreconnectBench.Until(() => bench.Sockets.Count == 1 && bench.Worker.Open == 1, token);
    }

    [Test]
    public async Task Those_to_a_worker_on_a_link_are_bound_to_it(CancellationToken token)
    {
        var transport = new LinkTransport(new IPEndPoint(IPAddress.Loopback, 9)) { LinkHangs = true };
        var link = new WireGuardLink("wg-w", IPAddress.Parse("10.8.0.1"), WorkerAddress: IPAddress.Parse("10.8.0.2"));
        var model = new WorkerModel("w", new IPEndPoint(IPAddress.Parse("10.8.0.2"), 9050), Link: link);
        var pool = new WorkerPool();
        pool.Apply([model]);
        await using var sockets = new PreconnectPool(transport, pool, new ConnectOptions(), TimeProvider.System);
        sockets.Connected(model);
        await PreconnectBench.Until(() => !transport.Requests.IsEmpty, token);

        Assert.That(transport.Requests.Single(), Is.EqualTo(model.RequestTo(model.SocksEndPoint)));
        Assert.That(transport.Requests.Single().LocalInterface, Is.EqualTo("wg-w"));
    }
}
