using TorBalancer.Balancing;
using TorBalancer.Health;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>Probes of several workers do not go out at once, and not in step.</summary>
[CancelAfter(30_000)]
public class ProbeScheduleTests
{
    private const int Workers = 4;

    [Test]
    public async Task First_probes_are_spread_over_the_interval(CancellationToken token)
    {
        var times = await RunAsync(null, rounds: 2, token);
        Assert.That(times["worker-01"], Is.EqualTo([0.0, 10]));
        Assert.That(times["worker-02"], Is.EqualTo([2.5, 12.5]));
        Assert.That(times["worker-03"], Is.EqualTo([5.0, 15]));
        Assert.That(times["worker-04"], Is.EqualTo([7.5, 17.5]));
    }

    [Test]
    public async Task Intervals_vary_by_a_tenth_and_differ_between_workers(CancellationToken token)
    {
        var times = await RunAsync(new SeededRandom(7), rounds: 20, token);
        double[][] intervals = [.. times.Values.Select(static at => at.Zip(at.Skip(1), static (a, b) => Math.Round(b - a, 3)).ToArray())];
        Assert.That(intervals.SelectMany(static one => one), Is.All.InRange(9.0, 11.0));
        foreach (double[] one in intervals)
            Assert.That(one.Distinct().Count(), Is.GreaterThan(3));
        Assert.That(intervals.Select(static one => string.Join(' ', one)), Is.Unique);
    }

    private static async Task<Dictionary<string, List<double>>> RunAsync(IRandomSource? random, int rounds, CancellationToken token)
    {
        var probes = new RecordingProbes();
        await using var bench = new HealthBench(Workers, probes: probes, random: random);
        var begin = bench.Clock.GetUtcNow();
        probes.Clock = () => (bench.Clock.GetUtcNow() - begin).TotalSeconds;
        bench.Prober.Start();
        while (true)
        {
            // Every loop sleeps on the clock: only then may it move.
            while (bench.Clock.Timers != Workers)
            {
                token.ThrowIfCancellationRequested();
                await Task.Yield();
            }

            if (probes.Times.Count == Workers && probes.Times.Values.All(times => times.Count >= rounds))
                return probes.Times.ToDictionary(static pair => pair.Key, pair => pair.Value.Take(rounds).ToList());
            bench.Clock.Advance(bench.Clock.UntilNextTimer!.Value);
        }
    }

    /// <summary>Passes at once, and keeps when it was asked.</summary>
    private sealed class RecordingProbes : IProbeSequence
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<string, List<double>> _times = [];

        public Func<double> Clock { get; set; } = static () => 0;

        public Dictionary<string, List<double>> Times
        {
            get
            {
                lock (_lock)
                    return _times.ToDictionary(static pair => pair.Key, static pair => pair.Value.ToList());
            }
        }

        public Task<ProbeReport> RunAsync(WorkerState worker, bool inRecovery, CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                if (!_times.TryGetValue(worker.Id, out var times))
                    _times.Add(worker.Id, times = []);
                times.Add(Clock());
            }

            return Task.FromResult(FakeProbes.Report(true));
        }
    }
}
