using TorBalancer.Admin;
using TorBalancer.Health;
using TorBalancer.Tests.Health;
using TorBalancer.Tests.Support;
using TorBalancer.Transport.Linux;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Admin;

[CancelAfter(30_000)]
public sealed class LivenessTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(300);

    [Test]
    public async Task Loop_that_hangs_is_found_and_one_that_moves_again_is_forgiven(CancellationToken token)
    {
        using var loops = new EventLoops(2);
        using var transport = new LinuxTransport(loops, default);
        await using var bench = new HealthBench();
        bench.Prober.Start();
        var liveness = new Liveness(transport, bench.Prober, bench.Monitor, TimeProvider.System);
        Assert.That(await liveness.FindStuckAsync(TimeSpan.FromSeconds(20), token), Is.Null);

        using var hang = new ManualResetEventSlim();
        loops.All[1].Post(new Hang(hang));
        Assert.That(await liveness.FindStuckAsync(Limit, token), Is.EqualTo("the event loops"));
        Assert.That(await liveness.FindStuckAsync(Limit, token), Is.EqualTo("the event loops"), "still");

        hang.Set();
        Assert.That(await liveness.FindStuckAsync(TimeSpan.FromSeconds(20), token), Is.Null);
    }

    [Test]
    public async Task Prober_that_does_not_run_is_found(CancellationToken token)
    {
        using var loops = new EventLoops(1);
        using var transport = new LinuxTransport(loops, default);
        await using var bench = new HealthBench();
        var liveness = new Liveness(transport, bench.Prober, bench.Monitor, TimeProvider.System);

        Assert.That(await liveness.FindStuckAsync(Limit, token), Is.EqualTo("the health prober"));
        bench.Prober.Start();
        Assert.That(await liveness.FindStuckAsync(TimeSpan.FromSeconds(20), token), Is.Null);
    }

    /// <summary>A worker whose probing has ended would stay what it is for ever.</summary>
    [Test]
    public async Task Prober_that_has_lost_a_worker_is_found(CancellationToken token)
    {
        using var loops = new EventLoops(1);
        using var transport = new LinuxTransport(loops, default);
        var probes = new BreakingProbes();
        var bench = new HealthBench(probes: probes);
        bench.Prober.Start();
        var liveness = new Liveness(transport, bench.Prober, bench.Monitor, TimeProvider.System);

        await probes.Asked.WaitAsync(token);
        string? stuck;
        do
            stuck = await liveness.FindStuckAsync(Limit, token);
        while (stuck is null);

        Assert.That(stuck, Is.EqualTo("the health prober"));
        Assert.That(async () => await bench.DisposeAsync(), Throws.TypeOf<InsufficientMemoryException>());
    }

    private sealed class BreakingProbes : IProbeSequence
    {
        private readonly TaskCompletionSource _asked = new();

        public Task Asked => _asked.Task;

        public Task<ProbeReport> RunAsync(WorkerState worker, bool inRecovery, CancellationToken cancellationToken)
        {
            _asked.TrySetResult();
            return Task.FromException<ProbeReport>(new InsufficientMemoryException());
        }
    }

    private sealed class Hang(ManualResetEventSlim until) : ILoopWork
    {
        public void Run() => until.Wait();
    }
}
