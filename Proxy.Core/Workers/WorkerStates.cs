namespace TorBalancer.Workers;

/// <summary>What health says of a worker. One writer: the health monitor.</summary>
public enum WorkerOperationalState : byte
{
    /// <summary>Carries traffic.</summary>
    Healthy,

    /// <summary>Failed lately; carries traffic, watched closely.</summary>
    Suspect,

    /// <summary>Carries none; about to enter recovery.</summary>
    Dead,

    /// <summary>Carries none; being brought back (or, for a managed worker, still starting).</summary>
    Recovery,
}

/// <summary>What the operator says of a worker. One writer: the operator.</summary>
public enum WorkerAdministrativeState : byte
{
    Enabled,

    /// <summary>Takes no new connections; live ones finish.</summary>
    Draining,

    /// <summary>Configured no longer: takes no new connections, and is gone when the live ones have finished.</summary>
    Leaving,
}

/// <summary>What they are called in the API, the metrics and the log.</summary>
internal static class WorkerStateWords
{
    public static string Word(this WorkerOperationalState state) => state switch
    {
        WorkerOperationalState.Healthy => "healthy",
        WorkerOperationalState.Suspect => "suspect",
        WorkerOperationalState.Dead => "dead",
        _ => "recovery",
    };

    public static string Word(this WorkerAdministrativeState state) => state switch
    {
        WorkerAdministrativeState.Draining => "draining",
        WorkerAdministrativeState.Leaving => "leaving",
        _ => "enabled",
    };
}
