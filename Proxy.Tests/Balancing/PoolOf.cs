using System.Net;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Balancing;

/// <summary>Pools for selection tests; nothing listens behind them.</summary>
internal static class PoolOf
{
    public static WorkerPool Workers(params int[] weights)
    {
        var pool = new WorkerPool();
        pool.Apply(
            [
                .. weights.Select(
                    static (weight, i) => new WorkerModel($"w{i + 1}", new IPEndPoint(IPAddress.Loopback, 10_000 + i), weight)),
            ]);
        return pool;
    }

    public static WorkerPool Equal(int count) => Workers([.. Enumerable.Repeat(1, count)]);

    public static void SetEligible(this WorkerPool pool, string id, bool eligible) =>
        pool.SetOperational(pool.Find(id)!, eligible ? WorkerOperationalState.Healthy : WorkerOperationalState.Dead, "test");
}
