using System.Net;
using TorBalancer.Workers;

namespace TorBalancer.Benchmarks.Support;

/// <summary>Pools of workers that nothing is ever sent to.</summary>
internal static class Pools
{
    /// <param name="count">How many workers.</param>
    /// <param name="weightOf">The weight of each, by its index; null: all 1.</param>
    public static WorkerPool Of(int count, Func<int, int>? weightOf = null)
    {
        var pool = new WorkerPool();
        pool.Apply([.. Enumerable.Range(0, count).Select(i => new WorkerModel(
            $"worker-{i:D4}", new IPEndPoint(IPAddress.Loopback, 10_000 + i), weightOf?.Invoke(i) ?? 1))]);
        return pool;
    }
}
