using TorBalancer.Workers;

namespace TorBalancer.Admin;

/// <summary>Health as far as the pool alone knows it: no retries, and every failure that was ever the worker's own.</summary>
internal sealed class PoolHealthView(WorkerPool pool) : IWorkerHealthView
{
    public WorkerHealthFacts Of(WorkerState worker) => new((int)Math.Min(worker.TotalFailures, int.MaxValue));

    public void ForceHealthy(WorkerState worker)
    {
        // A process of ours that is not running cannot be wished well: its supervisor says when it is.
        if (!worker.Model.IsManaged && worker.Operational is WorkerOperationalState.Dead or WorkerOperationalState.Recovery)
            pool.SetOperational(worker, WorkerOperationalState.Healthy, "");
    }
}
