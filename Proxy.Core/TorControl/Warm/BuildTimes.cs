namespace TorBalancer.TorControl.Warm;

/// <summary>How long this worker's circuits take to build. Not for several threads.</summary>
internal sealed class BuildTimes
{
    private const int Capacity = 64;

    /// <summary>Before one was measured: a circuit of the real network usually takes less.</summary>
    private static readonly TimeSpan Unmeasured = TimeSpan.FromSeconds(1);

    /// <summary>One that was waited for through an outage is not to make us build for minutes ahead.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    private readonly double[] _seconds = new double[Capacity];
    private int _count;

    /// <summary>Median of the latest 64; null before the first.</summary>
    public TimeSpan? Median => At(0.5);

    /// <summary>Nine of ten are quicker; null before the first.</summary>
    public TimeSpan? Slow => At(0.9);

    /// <summary>What is planned with: nine of ten are built within it.</summary>
    public TimeSpan Planned => Slow ?? Unmeasured;

    public void Add(TimeSpan time) => _seconds[_count++ % Capacity] = Math.Min(time.TotalSeconds, Longest.TotalSeconds);

    private TimeSpan? At(double share)
    {
        int count = Math.Min(_count, Capacity);
        if (count == 0)
            return null;
        Span<double> sorted = stackalloc double[Capacity];
        _seconds.AsSpan(0, count).CopyTo(sorted);
        sorted[..count].Sort();
        return TimeSpan.FromSeconds(sorted[(int)(share * (count - 1))]);
    }
}
