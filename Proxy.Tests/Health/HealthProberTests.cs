using TorBalancer.Health;
using TorBalancer.Health.Alerts;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

public class HealthProberTests
{
    [Test, CancelAfter(10_000)]
    public async Task Healthy_worker_is_probed_every_interval(CancellationToken token)
    {
        await using var bench = new HealthBench();
        bench.Prober.Start();
        for (int i = 0; i < 3; i++)
        {
            await bench.Probes.BegunAsync(token);
            bench.Probes.End(true);
            await bench.SleepsAsync(TimeSpan.FromSeconds(10), token);
            bench.Clock.Advance(TimeSpan.FromSeconds(10));
        }

        await bench.Probes.BegunAsync(token);
        Assert.That(bench.Probes.Overlaps, Is.Zero);
        Assert.That(bench.Probes.Ended, Is.EqualTo(3));
    }

    [Test, CancelAfter(10_000)]
    public async Task Recovery_is_tried_after_each_wait_and_asks_for_help_once(CancellationToken token)
    {
        await using var bench = new HealthBench();
        bench.Prober.Start();
        await bench.Probes.BegunAsync(token);
        bench.Probes.End(true);
        await bench.SleepsAsync(TimeSpan.FromSeconds(10), token);
        for (int i = 0; i < 3; i++)
            bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerRefused));

        foreach (int wait in (int[])[1, 2, 4, 8, 16, 32, 60, 60])
        {
            await bench.SleepsAsync(TimeSpan.FromSeconds(wait), token);
            bench.Clock.Advance(TimeSpan.FromSeconds(wait));
            await bench.Probes.BegunAsync(token);
            bench.Probes.End(false);
        }

        await bench.SleepsAsync(TimeSpan.FromSeconds(60), token);
        bench.Clock.Advance(TimeSpan.FromSeconds(60));
        await bench.Probes.BegunAsync(token);
        Assert.That(bench.Probes.WasInRecovery, Is.True);
        bench.Probes.End(true);

        // The second sequence comes without any wait.
        await bench.Probes.BegunAsync(token);
        bench.Probes.End(true);
        await bench.SleepsAsync(TimeSpan.FromSeconds(10), token);

        Assert.That(bench.Worker.Operational, Is.EqualTo(WorkerOperationalState.Healthy));
        Assert.That(bench.Events.All.Where(static one => one.Kind == HealthEventKind.ManualIntervention).Select(static one => one.Reason),
            Is.EqualTo(["Worker requires manual intervention (circuit: as the test said)"]));
        Assert.That(bench.Changes, Is.EqualTo(["healthy>suspect", "suspect>dead", "dead>recovery", "recovery>healthy"]));
    }

    [Test, CancelAfter(10_000)]
    public async Task A_probe_that_could_not_be_made_says_nothing_and_is_made_again_soon(CancellationToken token)
    {
        await using var bench = new HealthBench();
        bench.Prober.Start();
        for (int i = 0; i < 6; i++)
        {
            await bench.Probes.BegunAsync(token);
            bench.Probes.EndForLack();
            await bench.SleepsAsync(HealthProber.AgainAfterLack, token);
            bench.Clock.Advance(HealthProber.AgainAfterLack);
        }

        await bench.Probes.BegunAsync(token);
        bench.Probes.End(true);
        await bench.SleepsAsync(TimeSpan.FromSeconds(10), token);
        Assert.That(bench.Changes, Is.Empty);
        Assert.That(bench.Monitor.FactsOf(bench.Worker).Failures, Is.Zero);
    }

    [Test, CancelAfter(10_000)]
    public async Task Failure_brings_the_next_probe_forward_and_suspects_are_probed_faster(CancellationToken token)
    {
        await using var bench = new HealthBench();
        bench.Prober.Start();
        await bench.Probes.BegunAsync(token);
        bench.Probes.End(true);
        await bench.SleepsAsync(TimeSpan.FromSeconds(10), token);
        bench.Clock.Advance(TimeSpan.FromSeconds(5));
        bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerClosed));
        await bench.Probes.BegunAsync(token);
        bench.Probes.End(true);
        await bench.SleepsAsync(TimeSpan.FromSeconds(2.5), token);

        Assert.That(bench.Worker.Operational, Is.EqualTo(WorkerOperationalState.Suspect));
    }

    [Test, CancelAfter(10_000)]
    public async Task Probe_of_an_earlier_episode_is_ended_and_not_counted(CancellationToken token)
    {
        await using var bench = new HealthBench();
        bench.Prober.Start();
        await bench.Probes.BegunAsync(token);
        for (int i = 0; i < 3; i++)
            bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerRefused));
        await bench.SleepsAsync(TimeSpan.FromSeconds(1), token);
        var state = bench.State;

        Assert.That((state.Operational, state.BackoffIndex, state.Successes), Is.EqualTo((WorkerOperationalState.Recovery, 0, 0)));
        Assert.That((bench.Probes.IsRunning, bench.Probes.Ended), Is.EqualTo((false, 0)));
    }

    [Test]
    public void Traffic_postpones_probes_threefold_and_no_longer()
    {
        var state = WorkerHealthState.Healthy(default);
        var interval = TimeSpan.FromSeconds(10);
        TimeSpan? Next(double now, double? traffic) =>
            ProbeSchedule.Next(
                state, false, default, traffic is { } at ? TimeSpan.FromSeconds(at) : null, TimeSpan.FromSeconds(now), interval);

        Assert.That(Next(10, null), Is.EqualTo(TimeSpan.FromSeconds(10)));
        Assert.That(Next(10, 8), Is.EqualTo(TimeSpan.FromSeconds(20)));
        Assert.That(Next(20, 8), Is.EqualTo(TimeSpan.FromSeconds(20)), "no traffic in the last interval");
        Assert.That(Next(20, 19), Is.EqualTo(TimeSpan.FromSeconds(30)));
        Assert.That(Next(30, 29), Is.EqualTo(TimeSpan.FromSeconds(30)));
    }

    [Test, CancelAfter(10_000)]
    public async Task Worker_that_is_added_is_probed_at_once(CancellationToken token)
    {
        await using var bench = new HealthBench();
        bench.Prober.Start();
        await bench.Probes.BegunAsync(token);
        bench.Probes.End(true);
        await bench.SleepsAsync(TimeSpan.FromSeconds(10), token);

        var first = bench.Worker.Model;
        bench.Pool.Apply([first, first with { Id = "worker-02" }]);
        await bench.Probes.BegunAsync(token);
        bench.Probes.End(false);
        while (bench.Pool.Find("worker-02") is not { Operational: WorkerOperationalState.Suspect })
        {
            token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    [Test, CancelAfter(10_000)]
    public async Task Worker_that_leaves_the_pool_is_no_longer_probed(CancellationToken token)
    {
        await using var bench = new HealthBench();
        bench.Prober.Start();
        await bench.Probes.BegunAsync(token);
        bench.Pool.Apply([]);
        while (bench.Clock.UntilNextTimer is not null || bench.Probes.IsRunning)
        {
            token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        Assert.That(bench.Probes.HasBegun, Is.False);
    }
}
