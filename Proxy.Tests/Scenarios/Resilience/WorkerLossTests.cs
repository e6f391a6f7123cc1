using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>One of four workers is killed, or hangs, under 50 new connections a second: none of them may notice.</summary>
[NonParallelizable] // It kills and pauses workers that others use.
public sealed class WorkerLossTests : ResilienceFixture
{
    private const int PerSecond = 50;
    private const string Victim = "worker-02";

    private static readonly HealthOptions Timing = new()
    {
        CheckInterval = TimeSpan.FromSeconds(2),
        StepTimeout = TimeSpan.FromSeconds(2),
        ProbeTimeout = TimeSpan.FromSeconds(15),
        SuspectWindow = TimeSpan.FromSeconds(12),
        RecoveryBackoff = [TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)],
        SlowStart = TimeSpan.FromSeconds(2),
    };

    /// <summary>
    /// What the configuration promises: a hanging worker is probed after three intervals (traffic may postpone it, and times
    /// vary by a tenth), fails that probe by its time limit, and is suspect for no longer than the window.
    /// </summary>
    private static readonly TimeSpan DeadWithin = (Timing.CheckInterval * 3 * 1.1) + Timing.StepTimeout + Timing.SuspectWindow;

    [Test, CancelAfter(150_000)]
    public async Task Worker_that_is_killed_and_restarted_costs_no_new_connection(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(AllWorkers, Configure);
        await using var load = SteadyLoad.Start(proxy.Address, Network.EchoPort, PerSecond);
        await load.MoreAsync(2 * PerSecond, token);

        await Network.KillAsync(Victim);
        var killed = load.Now;
        try
        {
            await UntilAsync(() => HasDied(proxy, Victim), DeadWithin, $"{Victim} dead after kill -9", token, () => Told(proxy));
            TestContext.Progress.WriteLine($"killed worker: dead after {(load.Now - killed).TotalSeconds:0.00} s");
            await load.MoreAsync(3 * PerSecond, token);
        }
        finally
        {
            await Network.RestartAsync(Victim, CancellationToken.None);
        }

        await HealthyAsync(proxy, Victim, Patience, token);
        await load.MoreAsync(2 * PerSecond, token);
        AssertNoneLost(await load.StopAsync(), killed, proxy);
        TestContext.Progress.WriteLine($"worker killed and restarted: {SteadyLoad.Describe(load.Done)}");
    }

    [Test, CancelAfter(150_000)]
    public async Task Worker_that_hangs_is_dead_in_the_promised_time_and_costs_no_new_connection(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(AllWorkers, Configure);
        await using var load = SteadyLoad.Start(proxy.Address, Network.EchoPort, PerSecond);
        await load.MoreAsync(2 * PerSecond, token);
        await using var tunnel = await OpenAsync(proxy, $"worker-{Victim}", "tunnel.test", token);
        await AssertEchoesAsync(tunnel, token);

        Network.Pause(Victim);
        var paused = load.Now;
        try
        {
            await UntilAsync(() => HasDied(proxy, Victim), DeadWithin, $"{Victim} dead after SIGSTOP", token, () => Told(proxy));
            TestContext.Progress.WriteLine(
                $"paused worker: dead after {(load.Now - paused).TotalSeconds:0.00} s of {DeadWithin.TotalSeconds:0.0} s promised");

            await load.MoreAsync(3 * PerSecond, token);
            Assert.That(proxy.Pool.Find(Victim)!.IsEligible, Is.False, "no traffic while it hangs");
        }
        finally
        {
            Network.Resume(Victim);
        }

        // What it carried when it stopped it carries on.
        await AssertEchoesAsync(tunnel, token);
        await HealthyAsync(proxy, Victim, Patience, token);
        await load.MoreAsync(2 * PerSecond, token);
        AssertNoneLost(await load.StopAsync(), paused, proxy);
        TestContext.Progress.WriteLine($"worker paused and resumed: {SteadyLoad.Describe(load.Done)}");
    }

    private static void Configure(TorBalancerOptions options)
    {
        options.Health.CheckInterval = Timing.CheckInterval;
        options.Health.StepTimeout = Timing.StepTimeout;
        options.Health.ProbeTimeout = Timing.ProbeTimeout;
        options.Health.SuspectWindow = Timing.SuspectWindow;
        options.Health.RecoveryBackoff = Timing.RecoveryBackoff;
        options.Health.SlowStart = Timing.SlowStart;
        options.Connect.WorkerTimeout = TimeSpan.FromSeconds(2);

        // A request that the worker had taken before it hung is given to another after this.
        options.Connect.AttemptTimeout = TimeSpan.FromSeconds(15);
    }

    /// <summary>No client was told of a failure; a stream that was open through the worker when it failed cannot be saved.</summary>
    private static void AssertNoneLost(IReadOnlyList<LoadRequest> requests, TimeSpan failed, ProxyUnderTest proxy)
    {
        var lost = requests.Where(one => one.Error is not null && (one.Connected is null || one.Started > failed)).ToList();
        var failures = proxy.Log.OfEvent("access").Select(static entry => entry.Message).Where(static line => !line.Contains("cause=ok"));
        Assert.That(lost, Is.Empty, $"{Told(proxy)}\n{string.Join('\n', failures.TakeLast(20))}");
    }
}
