using System.Diagnostics;
using TorBalancer.Configuration.Options;
using TorBalancer.Health.Alerts;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>Everything is down at once: all workers, or the way from all of them to the network.</summary>
[NonParallelizable] // It kills workers that others use.
public sealed class OutageTests : ResilienceFixture
{
    private static readonly TimeSpan StepTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SuspectWindow = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Backoff = TimeSpan.FromSeconds(1);

    [Test, CancelAfter(180_000)]
    public async Task All_workers_down_is_answered_fast_and_over_with_the_first_probe_after_they_return(CancellationToken token)
    {
        string[] ids = ["worker-03", "worker-04"];
        var probe = TimeSpan.FromSeconds(15);
        await using var proxy = await StartProxyAsync([.. ids.Select(id => ModelOf(Network.Node(id)))], options =>
        {
            Configure(options, probe);
            ErrorMatrix.AddExtendedListener(options);
        });
        var returned = new Dictionary<string, DateTimeOffset>();
        try
        {
            foreach (string id in ids)
                await Network.KillAsync(id);
            await UntilAsync(
                () => proxy.Pool.Snapshot.EligibleWorkers.Length == 0, Patience, "nobody is eligible", token, () => Told(proxy));
            Assert.That(proxy.HealthEvents.IsFrozen, Is.False, "their processes are gone, whatever the network does");

            // No worker is asked, so nothing of [Connect] Timeout (90 s) is used; the rest is a loaded machine's.
            long asked = Stopwatch.GetTimestamp();
            await ErrorMatrix.AssertAsync(
                proxy, TestNetwork.OriginName, Network.OriginPort, TimeSpan.Zero,
                new Expected(0x03, 0x03, 503, "destination_unavailable", "no_worker_available", 0), token);
            TestContext.Progress.WriteLine(
                $"all workers down: five kinds of clients answered within {Stopwatch.GetElapsedTime(asked).TotalMilliseconds:0} ms");
        }
        finally
        {
            foreach (string id in ids)
            {
                await Network.RestartAsync(id, CancellationToken.None);
                returned[id] = TimeProvider.System.GetUtcNow();
            }
        }

        // The last wait, and two sequences (greeting, circuit, control port) of which each step may take all of its time.
        var within = Backoff + (2 * ((2 * StepTimeout) + (2 * probe)));
        foreach (string id in ids)
        {
            await HealthyAsync(proxy, id, within, token);
            var healthy = proxy.HealthEvents.All.Last(one => one.Worker == id && one.To == "healthy").Time;
            var before = proxy.Probes.Of(id).Where(probe => probe.At < healthy).Reverse();
            Assert.That(
                before.TakeWhile(static probe => probe.Report.Passed).Count(), Is.EqualTo(2),
                $"{id}: the first sequence that passed and the one that confirmed it");
            TestContext.Progress.WriteLine($"{id}: in service {(healthy - returned[id]).TotalSeconds:0.00} s after it had started again");
        }

        await using var stream = await OpenAsync(proxy, "anybody", "again.test", token);
        await AssertEchoesAsync(stream, token);
    }

    [Test, CancelAfter(240_000)]
    public async Task Uplink_that_is_down_leaves_nobody_dead(CancellationToken token)
    {
        var probe = TimeSpan.FromSeconds(4);
        await using var uplink = new Uplink();
        await using var one = await ClientTor.StartAsync(Network, "ExtendedErrors", token, uplink.TorrcLine);
        await using var two = await ClientTor.StartAsync(Network, "ExtendedErrors", token, uplink.TorrcLine);
        await using var proxy = await StartProxyAsync(
            [new WorkerModel("own-1", one.Socks), new WorkerModel("own-2", two.Socks)], options => Configure(options, probe));
        var workers = proxy.Pool.Snapshot.All;
        foreach (var worker in workers)
            await UntilAsync(
                () => proxy.Probes.Of(worker.Id).Any(static probe => probe.Report.Passed), Patience, $"{worker.Id} passes a probe", token,
                () => Told(proxy));

        uplink.Cut();
        var cut = TimeProvider.System.GetUtcNow();
        long down = Stopwatch.GetTimestamp();
        await UntilAsync(() => proxy.HealthEvents.IsFrozen, Patience, "demotion is frozen", token, () => Told(proxy));
        TestContext.Progress.WriteLine($"uplink down: demotion frozen after {Stopwatch.GetElapsedTime(down).TotalSeconds:0.0} s");
        Assert.That(proxy.Log.OfEvent("DemotionFrozen"), Is.Not.Empty);

        // Longer than the window and more failures than the threshold, which would each make a worker dead.
        foreach (var worker in workers)
        {
            await UntilAsync(
                () => Failures(proxy, worker, cut) > 3 && Stopwatch.GetElapsedTime(down) > SuspectWindow * 2, Patience * 2,
                $"{worker.Id} fails probes", token, () => Told(proxy));
        }

        Assert.That(workers.Select(static worker => worker.Operational), Is.All.EqualTo(WorkerOperationalState.Suspect), Told(proxy));
        Assert.That(HasDied(proxy), Is.False, Told(proxy));

        uplink.Restore();
        long up = Stopwatch.GetTimestamp();
        await UntilAsync(() => !proxy.HealthEvents.IsFrozen, Patience, "demotion goes on", token, () => Told(proxy));
        foreach (var worker in workers)
            await HealthyAsync(proxy, worker.Id, Patience, token);
        TestContext.Progress.WriteLine($"uplink up again: both workers healthy after {Stopwatch.GetElapsedTime(up).TotalSeconds:0.0} s");
        Assert.That(proxy.HealthEvents.All.Select(static happened => happened.Kind), Does.Contain(HealthEventKind.DemotionThawed));
        Assert.That(HasDied(proxy), Is.False, Told(proxy));
        await using var stream = await OpenAsync(proxy, "anybody", "again.test", token);
        await AssertEchoesAsync(stream, token);
    }

    private static int Failures(ProxyUnderTest proxy, WorkerState worker, DateTimeOffset since) =>
        proxy.Probes.Of(worker.Id).Count(probe => probe.At > since && !probe.Report.Passed);

    private static void Configure(TorBalancerOptions options, TimeSpan probe)
    {
        options.Health.CheckInterval = TimeSpan.FromSeconds(1);
        options.Health.StepTimeout = StepTimeout;
        options.Health.ProbeTimeout = probe;
        options.Health.SuspectWindow = SuspectWindow;
        options.Health.RecoveryBackoff = [Backoff, Backoff];
    }
}
