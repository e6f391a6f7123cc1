namespace TorBalancer.Primitives;

/// <summary>
/// Counts durations in fixed buckets. Observing one takes two atomic additions, no lock and no memory; reading is exact once nobody
/// observes, and may miss what is being observed meanwhile.
/// </summary>
internal sealed class DurationHistogram
{
    /// <summary>
    /// The upper bounds of the buckets, seconds, each inclusive; one more bucket is without a bound. From a worker on this machine to the
    /// longest that a client is made to wait for a slow circuit.
    /// </summary>
    public static IReadOnlyList<double> Bounds { get; } = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60];

    private static readonly long[] Ticks = [.. Bounds.Select(static seconds => (long)Math.Round(seconds * TimeSpan.TicksPerSecond))];

    private readonly long[] _counts = new long[Bounds.Count + 1];
    private long _sum;

    /// <summary>All that was observed, seconds.</summary>
    public double Sum => Interlocked.Read(ref _sum) / (double)TimeSpan.TicksPerSecond;

    public void Observe(TimeSpan duration)
    {
        int bucket = 0;
        while (bucket < Ticks.Length && duration.Ticks > Ticks[bucket])
            bucket++;
        Interlocked.Increment(ref _counts[bucket]);
        Interlocked.Add(ref _sum, duration.Ticks);
    }

    /// <summary>How many fell into each bucket, not cumulated, the one without a bound last.</summary>
    /// <param name="counts">One more than there are bounds.</param>
    public void CopyTo(Span<long> counts)
    {
        for (int i = 0; i < _counts.Length; i++)
            counts[i] = Interlocked.Read(ref _counts[i]);
    }
}
