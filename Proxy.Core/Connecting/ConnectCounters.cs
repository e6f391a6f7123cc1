using TorBalancer.Balancing;
using TorBalancer.Primitives;

namespace TorBalancer.Connecting;

/// <summary>What connecting comes to, over all workers, since the start. Counting is one atomic addition.</summary>
internal sealed class ConnectCounters
{
    private static readonly string[] ModeNames = [.. SelectionPolicyNames.All];

    private readonly CauseCounts[] _modes = [.. SelectionPolicyNames.All.Select(static _ => new CauseCounts())];
    private long _retries, _refusedRetries, _hedges, _wonHedges;

    /// <summary>Further workers that were asked because one before had failed.</summary>
    public long Retries => Interlocked.Read(ref _retries);

    /// <summary>Times that no further worker was asked because [Connect] RetryBudget was used up.</summary>
    public long RefusedRetries => Interlocked.Read(ref _refusedRetries);

    /// <summary>Second workers that were asked because the first was slow.</summary>
    public long Hedges => Interlocked.Read(ref _hedges);

    /// <summary>How many of these answered first.</summary>
    public long WonHedges => Interlocked.Read(ref _wonHedges);

    /// <summary>How connects ended whose worker was chosen by this mode; of those that were waited for to the end.</summary>
    public CauseCounts OfMode(string mode) => _modes[Array.IndexOf(ModeNames, mode)];

    public void Ended(string mode, FailureCause cause)
    {
        // A plan's mode is one of these objects, or one that was read and spells the same.
        int index = Array.IndexOf(ModeNames, mode);
        if (index >= 0)
            _modes[index].Add(cause);
    }

    public void Retried() => Interlocked.Increment(ref _retries);

    public void RetryRefused() => Interlocked.Increment(ref _refusedRetries);

    public void Hedged() => Interlocked.Increment(ref _hedges);

    public void HedgeWon() => Interlocked.Increment(ref _wonHedges);
}
