using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// The state of one worker in the state machine: a value, which a step replaces as a whole. Times are those of one monotonic clock.
/// </summary>
internal readonly record struct WorkerHealthState
{
    /// <summary>HEALTHY, SUSPECT or RECOVERY; DEAD is passed through.</summary>
    public WorkerOperationalState Operational { get; init; }

    /// <summary>When <see cref="Operational"/> last changed.</summary>
    public TimeSpan Since { get; init; }

    /// <summary>Failures that count, since it was last healthy; ambiguous ones are halves.</summary>
    public double Failures { get; init; }

    /// <summary>Successes in a row, in SUSPECT and RECOVERY.</summary>
    public int Successes { get; init; }

    /// <summary>True while a canary is to say what an ambiguous failure meant.</summary>
    public bool IsAmbiguous { get; init; }

    /// <summary>Which wait of RecoveryBackoff comes next, from 0.</summary>
    public int BackoffIndex { get; init; }

    /// <summary>RECOVERY: when the next attempt is due; null while a managed worker starts.</summary>
    public TimeSpan? NextAttempt { get; init; }

    /// <summary>SUSPECT: when it becomes dead unless it is healthy by then.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>A managed worker between its start and its readiness: it is neither probed nor blamed.</summary>
    public bool IsStarting { get; init; }

    /// <summary>The operator was asked to step in during this episode.</summary>
    public bool IsAlertRaised { get; init; }

    /// <summary>It has carried traffic before: what it comes back to is a return, not a first start.</summary>
    public bool WasHealthy { get; init; }

    /// <summary>Grows whenever it goes out of service; what a probe began in an earlier episode says nothing about this one.</summary>
    public long Episode { get; init; }

    public static WorkerHealthState Healthy(TimeSpan now) =>
        new() { Operational = WorkerOperationalState.Healthy, Since = now, WasHealthy = true };

    /// <summary>A managed worker before its process has said that it is ready.</summary>
    public static WorkerHealthState Starting(TimeSpan now) =>
        new() { Operational = WorkerOperationalState.Recovery, Since = now, IsStarting = true };

    /// <summary>The same worker in another state, its time there beginning now.</summary>
    public WorkerHealthState In(WorkerOperationalState operational, TimeSpan now) => this with { Operational = operational, Since = now };
}
