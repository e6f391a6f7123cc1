using TorBalancer.Health;
using TorBalancer.Workers;

namespace TorBalancer.Admin;

/// <summary>Health as the health monitor knows it.</summary>
internal sealed class MonitorHealthView(HealthMonitor health) : IWorkerHealthView
{
    public WorkerHealthFacts Of(WorkerState worker)
    {
        var view = health.View(worker);

        // Ambiguous failures are halves; half a failure is none that an operator could point at.
        int failures = (int)view.Failures;
        return view.State == WorkerOperationalState.Recovery
            ? new WorkerHealthFacts(failures, view.BackoffIndex, view.NextRetry)
            : new WorkerHealthFacts(failures);
    }

    public void ForceHealthy(WorkerState worker) => health.Enable(worker);
}
