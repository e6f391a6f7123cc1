using BenchmarkDotNet.Attributes;
using TorBalancer.Balancing;
using TorBalancer.Benchmarks.Support;
using TorBalancer.Workers;

namespace TorBalancer.Benchmarks.Workers;

/// <summary>What taking a worker costs beside picking it.</summary>
[MemoryDiagnoser]
public class WorkerLeaseBenchmark
{
    private readonly WorkerPool _pool = Pools.Of(4);
    private WorkerState _worker = null!;
    private WorkerState[] _tried = null!;
    private WorkerSelector _selector = null!;

    [GlobalSetup]
    public void Setup()
    {
        _worker = _pool.Snapshot.EligibleWorkers[0];
        _tried = [_worker];
        _selector = new WorkerSelector(
            _pool, WorkerSelector.CreatePolicies(new SystemRandomSource()), default(SelectionOptions), TimeProvider.System,
            new SystemRandomSource());
    }

    [Benchmark(Baseline = true)]
    public void Lease() => _worker.Lease().Dispose();

    [Benchmark]
    public void Select() => _selector.Select(new SelectionRequest(SelectionPolicyNames.RoundRobin, 0), []).Lease!.Dispose();

    [Benchmark]
    public void SelectForRetry() => _selector.Select(new SelectionRequest(SelectionPolicyNames.RoundRobin, 0), _tried).Lease!.Dispose();

    [Benchmark]
    public void SelectNamedWorker() =>
        _selector.Select(new SelectionRequest(SelectionPolicyNames.RoundRobin, 0, "worker-0003"), []).Lease!.Dispose();
}
