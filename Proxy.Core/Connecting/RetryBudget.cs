using TorBalancer.Configuration.Options;

namespace TorBalancer.Connecting;

/// <summary>How many retries there may be.</summary>
/// <param name="Percent">As a share of first attempts, 0-100.</param>
/// <param name="FloorPerSecond">Per second, always allowed.</param>
internal readonly record struct RetryShare(int Percent, int FloorPerSecond);

/// <summary>
/// Keeps retries from becoming a storm: over a sliding window of ten seconds they may be a share of all connections, plus
/// a floor that lets a quiet proxy retry at all.
/// </summary>
/// <param name="share">How much is allowed.</param>
internal sealed class RetryBudget(Live<RetryShare> share, TimeProvider time)
{
    private const int Slots = 10;

    private readonly Lock _lock = new();
    private readonly int[] _connections = new int[Slots];
    private readonly int[] _retries = new int[Slots];
    private long _second;
    private int _sumConnections;
    private int _sumRetries;

    /// <summary>Counts a first attempt.</summary>
    public void CountConnection()
    {
        lock (_lock)
        {
            int slot = Advance_NeedsLock();
            _connections[slot]++;
            _sumConnections++;
        }
    }

    /// <summary>Takes one retry out of the budget; false when it is used up.</summary>
    public bool TryTakeRetry()
    {
        var (percent, floorPerSecond) = share.Value;
        lock (_lock)
        {
            int slot = Advance_NeedsLock();
            if (_sumRetries >= ((long)_sumConnections * percent / 100) + ((long)floorPerSecond * Slots))
                return false;
            _retries[slot]++;
            _sumRetries++;
            return true;
        }
    }

    /// <summary>Empties the slots of seconds that have passed since the last call.</summary>
    private int Advance_NeedsLock()
    {
        long now = time.GetTimestamp() / time.TimestampFrequency;
        for (long passed = Math.Min(now - _second, Slots); passed > 0; passed--)
        {
            int old = (int)((now - passed + 1) % Slots);
            _sumConnections -= _connections[old];
            _sumRetries -= _retries[old];
            _connections[old] = 0;
            _retries[old] = 0;
        }

        _second = now;
        return (int)(now % Slots);
    }
}
