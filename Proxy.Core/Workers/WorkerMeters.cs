using TorBalancer.Primitives;

namespace TorBalancer.Workers;

/// <summary>
/// What is measured of a worker by each of its connections: nothing here waits, takes a lock or allocates. Everything is since the start.
/// </summary>
internal sealed class WorkerMeters
{
    /// <summary>Attempts that ended, by their cause; those that nobody waited for any more are not among them.</summary>
    public CauseCounts Attempts { get; } = new();

    /// <summary>From the dial to the worker's answer that it reached the target.</summary>
    public DurationHistogram Connect { get; } = new();

    /// <summary>From the worker's answer to the first byte that came back by it.</summary>
    public DurationHistogram FirstByte { get; } = new();
}
