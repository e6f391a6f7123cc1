namespace TorBalancer.TorControl.Warm;

/// <summary>
/// How many circuits one worker may be told to launch: below what a guard counts as abuse by one address (DoSCircuitCreationRate 3 a
/// second, DoSCircuitCreationBurst 90), and none for a while after circuits have failed in a row. Not for several threads.
/// </summary>
internal sealed class LaunchBudget(TimeProvider time)
{
    public const double PerSecond = 2.8;

    public const int Burst = 84;

    /// <summary>On the real network a fifth time out by design, so that three in a row are one case in a hundred.</summary>
    private const int MaxFailures = 3;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(15), LongestPause = TimeSpan.FromMinutes(5);

    private double _left = Burst;
    private long _at = time.GetTimestamp();
    private long _pausedSince;
    private TimeSpan _pause;
    private int _failures;

    /// <summary>True while nothing is launched because circuits have failed.</summary>
    public bool IsPaused => _pause > TimeSpan.Zero && time.GetElapsedTime(_pausedSince) < _pause;

    public bool TryTake()
    {
        if (IsPaused)
            return false;
        long now = time.GetTimestamp();
        _left = Math.Min(_left + (time.GetElapsedTime(_at, now).TotalSeconds * PerSecond), Burst);
        _at = now;
        if (_left < 1)
            return false;
        _left--;
        return true;
    }

    /// <summary>A circuit was built: the way is clear.</summary>
    public void Built() => (_failures, _pause) = (0, TimeSpan.Zero);

    /// <summary>A circuit of ours could not be built. True when that begins a pause, each twice as long as the one before.</summary>
    public bool Failed()
    {
        if (++_failures < MaxFailures || IsPaused)
            return false;
        _failures = 0;
        _pausedSince = time.GetTimestamp();
        _pause = _pause == TimeSpan.Zero ? FirstPause : _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        return true;
    }
}
