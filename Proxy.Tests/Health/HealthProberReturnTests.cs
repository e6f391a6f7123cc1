using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>A worker that dies and comes back, with real probes on a clock that the test moves.</summary>
public sealed class HealthProberReturnTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tbw");

    public void Dispose() => _directory.Delete(recursive: true);

    [Test, CancelAfter(60_000)]
    public async Task Worker_that_dies_and_returns_is_taken_out_and_back_and_eased_in(CancellationToken token)
    {
        string socket = Path.Combine(_directory.FullName, "socks");
        var worker = new FakeTorWorker(socket);
        using var probes = new ProbeBench();
        var recorded = new RecordedProbes(probes.Sequence(new WorkerOptions { Name = "worker-01" }));
        await using var bench = new HealthBench(probes: recorded);
        bench.Pool.Replace(bench.Worker, new WorkerModel("worker-01", new UnixDomainSocketEndPoint(socket)));
        bench.Prober.Start();
        await AdvanceUntilAsync(bench, () => recorded.Of("worker-01") is [.., { Report.Passed: true }], token);

        await worker.DisposeAsync();
        await AdvanceUntilAsync(bench, () => bench.Worker.Operational == WorkerOperationalState.Recovery, token);
        Assert.That(bench.Pool.Snapshot.EligibleWorkers, Is.Empty);
        await AdvanceUntilAsync(bench, () => bench.Monitor.FactsOf(bench.Worker).BackoffIndex >= 2, token);

        await using var again = new FakeTorWorker(socket);
        await AdvanceUntilAsync(bench, () => bench.Worker.Operational == WorkerOperationalState.Healthy, token);
        Assert.That(bench.Changes, Is.EqualTo(["healthy>suspect", "suspect>dead", "dead>recovery", "recovery>healthy"]));
        Assert.That(again.Requests, Has.Count.GreaterThanOrEqualTo(2), "two complete sequences");

        double share = bench.Worker.RampFactor(bench.Clock);
        Assert.That(share, Is.InRange(0.1, 0.9));
        bench.Clock.Advance(bench.Options.SlowStart);
        Assert.That(bench.Worker.RampFactor(bench.Clock), Is.EqualTo(1));
    }

    /// <summary>Real probes need real time; the clock stands still while one is under way.</summary>
    private static async Task AdvanceUntilAsync(HealthBench bench, Func<bool> condition, CancellationToken token)
    {
        while (!condition())
        {
            if (bench.Clock.Timers > 0)
                bench.Clock.Advance(TimeSpan.FromMilliseconds(250));
            await Task.Delay(2, token);
        }
    }
}
