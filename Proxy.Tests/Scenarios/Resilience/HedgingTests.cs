using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>What hedging is worth while a worker hangs and nobody has noticed yet. The numbers go to the test's output.</summary>
[NonParallelizable] // It pauses a worker that others use.
public sealed class HedgingTests : ResilienceFixture
{
    private const int PerSecond = 50;
    private const int Requests = 5 * PerSecond;
    private const string Victim = "worker-02";

    /// <summary>So long does a connection that met the hanging worker wait without hedging.</summary>
    private static readonly TimeSpan WorkerTimeout = TimeSpan.FromSeconds(4);

    [Test, CancelAfter(120_000)]
    public async Task Hedging_spares_clients_the_wait_for_a_worker_that_hangs(CancellationToken token)
    {
        var off = await MeasureAsync(default, token);
        var on = await MeasureAsync(new HedgeOptions(HedgeKind.After, TimeSpan.FromMilliseconds(300)), token);
        TestContext.Progress.WriteLine($"one of four workers paused, hedge off:         {SteadyLoad.Describe(off)}");
        TestContext.Progress.WriteLine($"one of four workers paused, hedge after 300 ms: {SteadyLoad.Describe(on)}");

        Assert.That(off.Concat(on).Where(static one => one.Error is not null), Is.Empty);
        Assert.That(
            SteadyLoad.Percentile(off, 0.99), Is.GreaterThanOrEqualTo(WorkerTimeout - TimeSpan.FromMilliseconds(100)),
            "every fourth waits for the worker");
        Assert.That(SteadyLoad.Percentile(on, 0.99), Is.LessThan(SteadyLoad.Percentile(off, 0.99)));
    }

    /// <summary>With nothing but retry and hedging: health does not take the worker out and it is not passed over.</summary>
    private async Task<IReadOnlyList<LoadRequest>> MeasureAsync(HedgeOptions hedge, CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(AllWorkers, options =>
        {
            options.Health.Enabled = false;
            options.Balancing.PassOver = TimeSpan.Zero;
            options.Connect.WorkerTimeout = WorkerTimeout;
            options.Connect.Hedge = hedge;

            // A slow machine hedges more; that must not use up what retries need.
            options.Connect.RetryBudget = 100;
            options.Connect.RetryFloor = 100;
        });
        await using var load = SteadyLoad.Start(proxy.Address, Network.EchoPort, PerSecond);
        await load.MoreAsync(PerSecond, token);
        Network.Pause(Victim);
        try
        {
            var paused = load.Now;
            await load.MoreAsync(Requests, token);
            return await load.SinceAsync(paused, token);
        }
        finally
        {
            Network.Resume(Victim);
        }
    }
}
