using TorBalancer.Configuration.Reading;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Reload;

/// <summary>Why a command about a worker is not carried out.</summary>
internal enum WorkerRefusal : byte
{
    None,

    /// <summary>There is no such worker.</summary>
    Unknown,

    /// <summary>It cannot be done to this worker, or as things are now.</summary>
    Conflict,

    /// <summary>The configuration would not be valid.</summary>
    Invalid,

    /// <summary>The daemon is stopping.</summary>
    Stopping,
}

/// <summary>What became of a command about a worker.</summary>
/// <param name="Worker">The worker; null when nothing was done.</param>
/// <param name="Refusal">Why nothing was done.</param>
/// <param name="Detail">The same for people.</param>
internal sealed record WorkerOutcome(WorkerState? Worker, WorkerRefusal Refusal = WorkerRefusal.None, string Detail = "")
{
    /// <summary>What is wrong with its keys, in the words that a file would hear.</summary>
    public IReadOnlyList<ConfigurationIssue> Errors { get; init; } = [];

    public static WorkerOutcome Refused(WorkerRefusal refusal, string detail) => new(null, refusal, detail);
}
