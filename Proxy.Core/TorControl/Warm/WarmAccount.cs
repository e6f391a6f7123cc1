namespace TorBalancer.TorControl.Warm;

/// <summary>
/// What one worker's circuits have cost so far. It outlives whoever launches them: when a worker's control port or country changes,
/// another takes over, and guards still see one address. Thread-safe.
/// </summary>
internal sealed class WarmAccount(TimeProvider time)
{
    private long _launched, _used, _unused, _failed;

    public LaunchBudget Budget { get; } = new(time);

    /// <summary>Circuits that we asked for, since the start.</summary>
    public long Launched => Interlocked.Read(ref _launched);

    /// <summary>Of those, how many carried a stream.</summary>
    public long Used => Interlocked.Read(ref _used);

    /// <summary>Of those, how many were built and ended without one.</summary>
    public long Unused => Interlocked.Read(ref _unused);

    /// <summary>Of those, how many could not be built.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    public void CountLaunched() => Interlocked.Increment(ref _launched);

    public void CountUsed() => Interlocked.Increment(ref _used);

    public void CountUnused() => Interlocked.Increment(ref _unused);

    public void CountFailed() => Interlocked.Increment(ref _failed);
}
