using System.Globalization;
using TorBalancer.Server;
using TorBalancer.Workers;

namespace TorBalancer.Admin;

/// <summary>
/// Whether a new connection would be carried now: the one judgement behind <c>torbalancer healthcheck</c>, /readyz, the agent-check and
/// what the service manager shows.
/// </summary>
internal sealed class ReadinessJudge(WorkerPool pool, ProxyServer server)
{
    /// <summary>Completes when the answer may be another one; take it before <see cref="Look"/>.</summary>
    public Task Changed => Task.WhenAny(pool.Changed, server.Serving.Changed);

    /// <inheritdoc cref="ProxyServer.TakenOver"/>
    public TakeoverFacts? TakenOver => server.TakenOver;

    /// <summary>The judgement of this moment.</summary>
    public ReadinessReport Look() => new(server.Serving.Stage, pool.Snapshot);
}

/// <summary>The judgement of one moment.</summary>
/// <param name="Stage">Where the daemon is.</param>
/// <param name="Pool">The workers of that moment.</param>
internal sealed record ReadinessReport(ServingStage Stage, WorkerSnapshot Pool)
{
    /// <summary>Workers that may be picked.</summary>
    public int Available => Pool.EligibleWorkers.Length;

    /// <summary>All of them.</summary>
    public int Total => Pool.AllWorkers.Length;

    /// <summary>New connections should come, and a worker may carry them.</summary>
    public bool IsReady => Stage == ServingStage.Serving && Available > 0;

    /// <summary>The daemon was told to stop.</summary>
    public bool IsDraining => Stage >= ServingStage.LameDuck;

    /// <summary>
    /// The share of the configured weight that may be picked, 0 to 100; at least 1 while anybody may. Workers that leave do not count.
    /// </summary>
    public int Percent
    {
        get
        {
            long all = Pool.AllWorkers.Where(static worker => worker.Administrative != WorkerAdministrativeState.Leaving)
                .Sum(static worker => (long)worker.Model.Weight);
            return Pool.TotalWeight == 0 ? 0 : (int)Math.Clamp(Pool.TotalWeight * 100L / Math.Max(all, 1), 1, 100);
        }
    }

    /// <summary>For people, in one line: <c>ready: 2 of 3 workers may carry connections</c>. It names nobody.</summary>
    public string Summary => IsReady ? $"ready: {Reason}" : $"not ready: {Reason}";

    /// <summary>What <see cref="Summary"/> says behind its colon.</summary>
    public string Reason => Stage switch
    {
        ServingStage.Starting => "the daemon is starting",
        ServingStage.LameDuck => "the daemon is about to stop; it still takes connections, but others should get them",
        ServingStage.Draining => "the daemon is stopping and takes no more connections",
        _ => string.Create(CultureInfo.InvariantCulture, $"{Available} of {Total} workers may carry connections"),
    };
}
