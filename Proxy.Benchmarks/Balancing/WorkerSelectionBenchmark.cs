using BenchmarkDotNet.Attributes;
using TorBalancer.Balancing;
using TorBalancer.Benchmarks.Support;
using TorBalancer.Workers;

namespace TorBalancer.Benchmarks.Balancing;

/// <summary>One pick, by mode and number of workers. No mode may allocate.</summary>
[MemoryDiagnoser]
public class WorkerSelectionBenchmark
{
    private readonly RoundRobinSelectionPolicy _roundRobin = new();
    private readonly StickySelectionPolicy _sticky = new();
    private readonly RandomSelectionPolicy _random = new(new SystemRandomSource());
    private readonly LeastConnectionsSelectionPolicy _leastConnections = new();
    private readonly FailoverSelectionPolicy _failover = new();
    private readonly PowerOfTwoSelectionPolicy _powerOfTwo = new(new SystemRandomSource());
    private readonly FastestSelectionPolicy _fastest = new(new SystemRandomSource());

    private WorkerPool _pool = null!;
    private ulong _key;

    [Params(1, 4, 64, 1000)]
    public int Workers { get; set; }

    [GlobalSetup]
    public void Setup() => _pool = Pools.Of(Workers);

    [Benchmark(Baseline = true)]
    public object? RoundRobin() => _roundRobin.Pick(_pool.Snapshot, default);

    [Benchmark]
    public object? Sticky() => _sticky.Pick(_pool.Snapshot, new SelectionContext(++_key));

    [Benchmark]
    public object? Random() => _random.Pick(_pool.Snapshot, default);

    [Benchmark]
    public object? LeastConnections() => _leastConnections.Pick(_pool.Snapshot, default);

    [Benchmark]
    public object? Failover() => _failover.Pick(_pool.Snapshot, default);

    [Benchmark]
    public object? PowerOfTwo() => _powerOfTwo.Pick(_pool.Snapshot, default);

    [Benchmark]
    public object? Fastest() => _fastest.Pick(_pool.Snapshot, default);
}
