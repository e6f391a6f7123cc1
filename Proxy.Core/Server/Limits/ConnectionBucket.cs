using TorBalancer.Configuration.Options;

namespace TorBalancer.Server.Limits;

/// <summary>
/// A token bucket of new connections, as one number: when it would be full again (GCRA, ITU-T I.371; the same bucket as HAProxy's and
/// nginx's, without anybody who fills it). Not thread-safe: its owner has a lock. A rate that changes goes on with what was taken.
/// </summary>
internal struct ConnectionBucket
{
    private long _fullAt;

    /// <summary>True when all of the burst is there again.</summary>
    public readonly bool IsFull(long now) => _fullAt <= now;

    /// <summary>Takes one; false: there is none.</summary>
    /// <param name="now">A timestamp of <paramref name="time"/>.</param>
    /// <param name="wait">Until there is one; zero on success.</param>
    public bool TryTake(in ConnectionRate rate, long now, TimeProvider time, out TimeSpan wait)
    {
        wait = default;
        if (!rate.IsSet)
            return true;

        long interval = Interval(rate, time);

        // No emptier than empty: what was taken at a slower rate is not paid for at that rate's pace.
        long from = Math.Clamp(_fullAt, now, now + (rate.Burst * interval)), ahead = from - now - ((rate.Burst - 1) * interval);
        if (ahead > 0)
        {
            wait = time.GetElapsedTime(0, ahead);
            return false;
        }

        _fullAt = from + interval;
        return true;
    }

    /// <summary>Gives one back that was taken.</summary>
    public void Return(in ConnectionRate rate, TimeProvider time)
    {
        if (rate.IsSet)
            _fullAt -= Interval(rate, time);
    }

    // Rounded up: in no time more come than the rate says.
    private static long Interval(in ConnectionRate rate, TimeProvider time) =>
        (long)Math.Ceiling(rate.Per.TotalSeconds * time.TimestampFrequency / rate.Count);
}
