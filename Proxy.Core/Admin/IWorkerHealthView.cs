using TorBalancer.Workers;

namespace TorBalancer.Admin;

/// <summary>What health knows of one worker beyond its state.</summary>
/// <param name="Failures">Failures that count against it now.</param>
/// <param name="BackoffIndex">Its step in [Health] RecoveryBackoff; null when it is not being recovered.</param>
/// <param name="NextRetry">Until it is tried again; null when it is not being recovered.</param>
internal readonly record struct WorkerHealthFacts(int Failures, int? BackoffIndex = null, TimeSpan? NextRetry = null);

/// <summary>What the admin API asks of health, so that it need not know how health works.</summary>
internal interface IWorkerHealthView
{
    WorkerHealthFacts Of(WorkerState worker);

    /// <summary>The operator says that a worker is well: whatever counted against it is forgotten and it is picked again.</summary>
    void ForceHealthy(WorkerState worker);
}
