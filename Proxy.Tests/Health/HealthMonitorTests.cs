using System.Net;
using System.Text.Json;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;
using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

public class HealthMonitorTests
{
    [Test]
    public async Task Thousand_failures_of_targets_leave_a_worker_healthy()
    {
        await using var bench = new HealthBench();
        FailureCause[] causes =
        [
            FailureCause.OnionNotFound, FailureCause.ConnectionRefused, FailureCause.HostUnreachable, FailureCause.ExitPolicy,
            FailureCause.TargetTimeout, FailureCause.OnionIntroFailed,
        ];
        for (int i = 0; i < 1000; i++)
            bench.Monitor.DialFailed(bench.Worker, new ProxyError(causes[i % causes.Length]));
        for (int i = 0; i < 1000; i++)
            bench.Monitor.TunnelEnded(bench.Worker, TunnelEnd.UpstreamReset, answered: false);
        bench.Clock.Advance(TimeSpan.FromHours(1));

        Assert.That(bench.Worker.Operational, Is.EqualTo(WorkerOperationalState.Healthy));
        Assert.That(bench.Events.All, Is.Empty);
    }

    [Test]
    public async Task Three_failures_of_its_own_take_a_worker_out_of_the_pool()
    {
        await using var bench = new HealthBench(2);
        for (int i = 0; i < 3; i++)
            bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerRefused));

        Assert.That(bench.Changes, Is.EqualTo(["healthy>suspect", "suspect>dead", "dead>recovery"]));
        Assert.That(bench.Pool.Snapshot.EligibleWorkers, Is.EqualTo([bench.Pool.Snapshot.All[1]]));
        Assert.That(bench.Worker.Operational, Is.EqualTo(WorkerOperationalState.Recovery));
        Assert.That(bench.Monitor.FactsOf(bench.Worker), Is.EqualTo(new WorkerHealthFacts(3, 0, TimeSpan.FromSeconds(1))));
    }

    /// <summary>Connections fail on many threads at once; who reads the log must not find a state that was over.</summary>
    [Test, CancelAfter(30_000)]
    public async Task Log_has_changes_in_the_order_in_which_they_happened(CancellationToken token)
    {
        using var hold = new LineHold("healthy -> suspect");
        await using var bench = new HealthBench(2);
        bench.Log.AddProvider(hold);
        void Fail() => bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerRefused));
        var first = Task.Run(Fail, token);
        await hold.Held.WaitAsync(token);

        // Its line is being written; meanwhile the others bring the worker down.
        var others = Task.Run(() => { Fail(); Fail(); }, token);
        while (!bench.Changes.Contains("dead>recovery"))
            await Task.Delay(5, token);
        await Task.WhenAny(others, Task.Delay(100, token));
        hold.Release();
        await Task.WhenAll(first, others);

        var changes = hold.Written.Where(static line => line.Contains(" -> ", StringComparison.Ordinal))
            .Select(static line => line[(line.IndexOf(':') + 2)..line.IndexOf(" (", StringComparison.Ordinal)]);
        Assert.That(changes, Is.EqualTo(new[] { "healthy -> suspect", "suspect -> dead", "dead -> recovery" }));
    }

    [Test]
    public async Task Suspect_window_ends_by_itself()
    {
        await using var bench = new HealthBench();
        bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerClosed));
        bench.Clock.Advance(TimeSpan.FromSeconds(29));
        var before = bench.Worker.Operational;
        bench.Clock.Advance(TimeSpan.FromSeconds(1));

        Assert.That((before, bench.Worker.Operational), Is.EqualTo((WorkerOperationalState.Suspect, WorkerOperationalState.Recovery)));
        Assert.That(bench.Worker.OperationalReason, Does.StartWith("recovery_begun"));
    }

    [Test]
    public async Task Successes_of_connections_bring_a_suspect_worker_back_at_full_share()
    {
        await using var bench = new HealthBench();
        bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerClosed));
        bench.Monitor.DialSucceeded(bench.Worker, default);
        bench.Monitor.DialSucceeded(bench.Worker, default);

        Assert.That(bench.Worker.Operational, Is.EqualTo(WorkerOperationalState.Healthy));
        Assert.That(bench.Worker.RampFactor(bench.Clock), Is.EqualTo(1));
    }

    [Test]
    public async Task Worker_that_comes_back_gets_its_share_by_and_by()
    {
        await using var bench = new HealthBench();
        bench.Monitor.ProcessDown(bench.Worker, "it ended");
        bench.Monitor.ProcessReady(bench.Worker);

        Assert.That(bench.Worker.RampFactor(bench.Clock), Is.EqualTo(0.1).Within(1e-9));
        bench.Clock.Advance(TimeSpan.FromSeconds(15));
        Assert.That(bench.Worker.RampFactor(bench.Clock), Is.EqualTo(0.55).Within(1e-9));
        bench.Clock.Advance(TimeSpan.FromSeconds(15));
        Assert.That(bench.Worker.RampFactor(bench.Clock), Is.EqualTo(1));
    }

    [Test]
    public async Task Draining_survives_health_and_enable_ends_it()
    {
        await using var bench = new HealthBench();
        bench.Pool.SetAdministrative(bench.Worker, WorkerAdministrativeState.Draining);
        bench.Monitor.ProcessDown(bench.Worker, "it ended");
        bench.Monitor.ProcessReady(bench.Worker);
        var after = bench.Worker.Administrative;
        bench.Monitor.Enable(bench.Worker);

        Assert.That(
            (after, bench.Worker.Administrative), Is.EqualTo((WorkerAdministrativeState.Draining, WorkerAdministrativeState.Enabled)));
    }

    [Test]
    public async Task Enable_forces_a_worker_out_of_recovery()
    {
        await using var bench = new HealthBench();
        for (int i = 0; i < 3; i++)
            bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerRefused));
        bench.Monitor.Enable(bench.Worker);

        Assert.That(bench.Worker.IsEligible, Is.True);
        Assert.That(bench.Monitor.FactsOf(bench.Worker).Failures, Is.Zero);
    }

    [Test]
    public async Task All_workers_failing_at_once_freezes_until_one_succeeds()
    {
        await using var bench = new HealthBench(3);
        for (int i = 0; i < 9; i++)
        {
            foreach (var worker in bench.Pool.Snapshot.All)
                FailCircuit(bench, worker);
        }

        bench.Clock.Advance(TimeSpan.FromMinutes(10));
        Assert.That(bench.Pool.Snapshot.All.Select(static one => one.Operational), Is.All.EqualTo(WorkerOperationalState.Suspect));
        Assert.That(bench.Events.IsFrozen, Is.True);
        bench.Monitor.DialSucceeded(bench.Worker, default);
        Assert.That(bench.Events.IsFrozen, Is.False);
        Assert.That(bench.Events.All.Count(static one => one.Kind == HealthEventKind.DemotionFrozen), Is.EqualTo(1));
        Assert.That(bench.Events.All.Count(static one => one.Kind == HealthEventKind.DemotionThawed), Is.EqualTo(1));
    }

    [Test]
    public async Task Worker_that_died_just_before_the_others_is_tried_at_once_after_the_freeze()
    {
        await using var bench = new HealthBench(2);
        var (first, second) = (bench.Pool.Snapshot.All[0], bench.Pool.Snapshot.All[1]);
        for (int i = 0; i < 3; i++)
            FailCircuit(bench, first);
        FailCircuit(bench, second);
        Assert.That((first.Operational, bench.Events.IsFrozen), Is.EqualTo((WorkerOperationalState.Recovery, true)));
        bench.Monitor.DialSucceeded(second, default);

        Assert.That(bench.Monitor.FactsOf(first).NextRetry, Is.EqualTo(TimeSpan.Zero));
    }

    [Test]
    public async Task Local_workers_that_refuse_are_dead_whatever_the_uplink_does()
    {
        await using var bench = new HealthBench(2);
        for (int i = 0; i < 3; i++)
        {
            foreach (var worker in bench.Pool.Snapshot.All)
                bench.Monitor.DialFailed(worker, new ProxyError(FailureCause.WorkerTimeout));
        }

        Assert.That(bench.Pool.Snapshot.All.Select(static one => one.Operational), Is.All.EqualTo(WorkerOperationalState.Recovery));
    }

    [Test]
    public async Task Workers_elsewhere_that_cannot_be_reached_are_a_sign_of_the_uplink()
    {
        await using var bench = new HealthBench(2, IPAddress.Parse("192.0.2.1"));
        for (int i = 0; i < 3; i++)
        {
            foreach (var worker in bench.Pool.Snapshot.All)
                bench.Monitor.DialFailed(worker, new ProxyError(FailureCause.WorkerTimeout));
        }

        Assert.That(bench.Pool.Snapshot.All.Select(static one => one.Operational), Is.All.EqualTo(WorkerOperationalState.Suspect));
    }

    [Test]
    public async Task Disabled_health_judges_nobody()
    {
        await using var bench = new HealthBench(1, null, static options => options.Enabled = false);
        for (int i = 0; i < 10; i++)
            bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerRefused));

        Assert.That(bench.Worker.Operational, Is.EqualTo(WorkerOperationalState.Healthy));
    }

    /// <summary>A takeover: by the messages' own JSON, to a process whose clock is another one, in the middle of a suspicion.</summary>
    [Test]
    public async Task Another_process_goes_on_with_what_was_known_of_each_worker()
    {
        await using var old = new HealthBench(4);
        var (suspect, dead, drained) = (old.Pool.Snapshot.All[0], old.Pool.Snapshot.All[1], old.Pool.Snapshot.All[2]);
        for (int i = 0; i < 3; i++)
            old.Monitor.DialFailed(dead, new ProxyError(FailureCause.WorkerRefused));
        old.Monitor.DialFailed(suspect, new ProxyError(FailureCause.WorkerClosed));
        old.Clock.Advance(TimeSpan.FromSeconds(20));
        old.Pool.SetAdministrative(drained, WorkerAdministrativeState.Draining);
        string message = JsonSerializer.Serialize(old.Monitor.Export());

        await using var next = new HealthBench(4);
        next.Clock.Advance(TimeSpan.FromHours(3));
        next.Monitor.Adopt(JsonSerializer.Deserialize<WorkerHandOver[]>(message)!);

        Assert.That(
            next.Pool.Snapshot.All.Select(static one => (one.Id, one.Operational, one.Administrative, one.OperationalReason)),
            Is.EqualTo(old.Pool.Snapshot.All.Select(
                static one => (one.Id, one.Operational, one.Administrative, one.OperationalReason))));
        Assert.That(next.Worker.Operational, Is.EqualTo(WorkerOperationalState.Suspect));
        Assert.That(next.Pool.Snapshot.All[1].Operational, Is.EqualTo(WorkerOperationalState.Recovery));
        foreach (var (one, other) in old.Pool.Snapshot.All.Zip(next.Pool.Snapshot.All))
            Assert.That(next.Monitor.FactsOf(other), Is.EqualTo(old.Monitor.FactsOf(one)), one.Id);

        // Of the thirty seconds of suspicion twenty were over.
        next.Clock.Advance(TimeSpan.FromSeconds(9));
        var before = next.Worker.Operational;
        next.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That((before, next.Worker.Operational), Is.EqualTo((WorkerOperationalState.Suspect, WorkerOperationalState.Recovery)));
    }

    // Exits say so of closed ports, too.
    [Test]
    public async Task General_failures_alone_take_no_worker_out_of_service()
    {
        await using var bench = new HealthBench();
        for (int i = 0; i < 1000; i++)
            bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.GeneralFailure));

        Assert.That(bench.Worker.Operational, Is.EqualTo(WorkerOperationalState.Healthy));
        Assert.That(bench.Monitor.Look(bench.Monitor.Of(bench.Worker)).WantsCanary, Is.True);
    }

    /// <summary>A probe that got no circuit.</summary>
    private static void FailCircuit(HealthBench bench, WorkerState worker)
    {
        var health = bench.Monitor.Of(worker);
        var step = new ProbeStep(ProbeSteps.Circuit, ProbeStepResult.Failed, "no circuit");
        bench.Monitor.ProbeDone(health, new ProbeReport([step]), health.State.Episode);
    }
}
