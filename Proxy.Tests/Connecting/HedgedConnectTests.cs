using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Connecting;

[CancelAfter(30_000)]
public class HedgedConnectTests
{
    private static ConnectOptions After(int seconds) =>
        new() { Hedge = new HedgeOptions(HedgeKind.After, TimeSpan.FromSeconds(seconds)), WorkerTimeout = TimeSpan.FromSeconds(60) };

    [Test]
    public async Task A_slow_worker_is_overtaken_and_the_loser_is_cancelled_and_not_blamed(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var fleet = await Fleet.StartAsync(2, options: After(2), time: clock);
        fleet.Workers[0].ReplyGate = new TaskCompletionSource().Task;
        var connecting = fleet.ConnectAsync("example.com", token);
        while (fleet.Workers[0].Requests.IsEmpty)
            await Task.Delay(5, token);
        Assert.That(fleet.Workers[1].Accepted, Is.Zero, "not before its time");
        clock.Advance(TimeSpan.FromSeconds(2));
        var outcome = await connecting;
        Assert.Multiple(() =>
        {
            Assert.That((outcome.WorkerId, outcome.Attempts), Is.EqualTo(("worker-02", 2)));
            Assert.That(fleet.Pool.Find("worker-01")!.Active, Is.Zero, "the loser's lease is back before the connect returns");
            Assert.That(fleet.Pool.Find("worker-01")!.TotalFailures, Is.Zero);
            Assert.That(fleet.Pool.Find("worker-02")!.Active, Is.EqualTo(1));
        });
        await outcome.Stream!.DisposeAsync();
    }

    [Test]
    public async Task The_first_may_still_win_after_the_hedge_began(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        var gate = new TaskCompletionSource();
        await using var fleet = await Fleet.StartAsync(2, options: After(2), time: clock);
        fleet.Workers[0].ReplyGate = gate.Task;
        fleet.Workers[1].ReplyGate = new TaskCompletionSource().Task;
        var connecting = fleet.ConnectAsync("example.com", token);
        while (fleet.Workers[0].Requests.IsEmpty)
            await Task.Delay(5, token);
        clock.Advance(TimeSpan.FromSeconds(2));
        while (fleet.Workers[1].Requests.IsEmpty)
            await Task.Delay(5, token);
        gate.SetResult();
        var outcome = await connecting;
        Assert.That(outcome.WorkerId, Is.EqualTo("worker-01"));
        Assert.That(fleet.Pool.Find("worker-02")!.Active, Is.Zero);
        await outcome.Stream!.DisposeAsync();
    }

    [Test]
    public async Task A_decided_failure_ends_the_race(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var fleet = await Fleet.StartAsync(2, options: After(2), time: clock);
        fleet.Workers[0].ReplyGate = new TaskCompletionSource().Task;
        fleet.Workers[1].Reply = static _ => 5;
        var connecting = fleet.ConnectAsync("example.com", token);
        while (fleet.Workers[0].Requests.IsEmpty)
            await Task.Delay(5, token);
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.That((await connecting).Error.Cause, Is.EqualTo(FailureCause.ConnectionRefused));
        Assert.That(fleet.Pool.Snapshot.All.Select(static w => w.Active), Is.All.Zero);
    }

    [Test]
    public async Task A_failed_first_is_followed_at_once_without_waiting_for_the_hedge(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var fleet = await Fleet.StartAsync(2, options: After(300), time: clock);
        fleet.Workers[0].CloseAtOnce = true;
        var outcome = await fleet.ConnectAsync("example.com", token);
        Assert.That((outcome.WorkerId, outcome.Attempts), Is.EqualTo(("worker-02", 2)));
        await outcome.Stream!.DisposeAsync();
    }

    [Test]
    public async Task Cancelling_gives_every_lease_back(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var fleet = await Fleet.StartAsync(
            2, static worker => worker.ReplyGate = new TaskCompletionSource().Task, After(2), time: clock);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(token);
        var connecting = fleet.ConnectAsync("example.com", cancel.Token);
        while (fleet.Workers[0].Requests.IsEmpty)
            await Task.Delay(5, token);
        clock.Advance(TimeSpan.FromSeconds(2));
        while (fleet.Workers[1].Requests.IsEmpty)
            await Task.Delay(5, token);
        await cancel.CancelAsync();
        Assert.That(async () => await connecting, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(fleet.Pool.Snapshot.All.Select(static w => w.Active), Is.All.Zero);
    }

    [Test]
    public void Adaptive_waits_for_evidence_and_measures_onions_apart()
    {
        var delay = new HedgeDelay(new HedgeOptions(HedgeKind.Adaptive));
        HostEndPoint.TryCreate("example.com", 80, out var name);
        HostEndPoint.TryCreate("2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion", 80, out var onion);
        for (int i = 1; i <= 100; i++)
        {
            Assert.That(delay.For(name), i <= 20 ? Is.Null : Is.Not.Null);
            delay.Observe(name, TimeSpan.FromMilliseconds(i * 10));
        }

        Assert.That(delay.For(name), Is.EqualTo(TimeSpan.FromMilliseconds(910)));
        Assert.That(delay.For(onion), Is.Null);
    }

    [Test]
    public void The_budget_allows_a_share_and_a_floor_over_ten_seconds()
    {
        var clock = new ManualTimeProvider();
        clock.Advance(TimeSpan.FromSeconds(100));
        var budget = new RetryBudget(new RetryShare(Percent: 20, FloorPerSecond: 1), clock);
        for (int i = 0; i < 100; i++)
            budget.CountConnection();
        Assert.That(Enumerable.Range(0, 100).Count(_ => budget.TryTakeRetry()), Is.EqualTo(20 + 10));
        clock.Advance(TimeSpan.FromSeconds(9));
        Assert.That(budget.TryTakeRetry(), Is.False, "still the same window");
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(Enumerable.Range(0, 100).Count(_ => budget.TryTakeRetry()), Is.EqualTo(10), "nothing but the floor is left");
    }

    [Test]
    public async Task Without_budget_the_first_failure_is_told(CancellationToken token)
    {
        await using var fleet = await Fleet.StartAsync(
            3, static worker => worker.CloseAtOnce = true, new ConnectOptions { RetryBudget = 0, RetryFloor = 0 });
        Assert.That((await fleet.ConnectAsync("example.com", token)).Attempts, Is.EqualTo(1));
    }
}
