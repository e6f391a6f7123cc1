namespace TorBalancer.TorControl.Warm;

/// <summary>
/// How many circuits one worker may be told to launch: below what a guard counts as abuse by one address (DoSCircuitCreationRate 3 a
/// second, DoSCircuitCreationBurst 90), and none for a while after circuits have failed in a row. Thread-safe.
/// </summary>
internal sealed class LaunchBudget(TimeProvider time)
{
    public const double PerSecond = 2.8;

    public const int Burst = 84;

    /// <summary>On the real network a fifth time out by design, so that three in a row are one case in a hundred.</summary>
    private const int MaxFailures = 3;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(15), LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>Circuits that are torn down together died of one thing: the link to their guard.</summary>
    private static readonly TimeSpan Together = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private double _left = Burst;
    private long _at = time.GetTimestamp();
    private long _pausedSince;
    private long? _tornDownAt;
    private TimeSpan _pause;
    private int _failures, _tornDown;

    // Then being built says nothing: the next one may be torn down as well.
    private bool _isPausedByTornDown;

    /// <summary>True while nothing is launched because circuits have failed.</summary>
    public bool IsPaused
    {
        get
        {
            lock (_lock)
                return IsPaused_NeedsLock;
        }
    }

    private bool IsPaused_NeedsLock => _pause > TimeSpan.Zero && time.GetElapsedTime(_pausedSince) < _pause;

    public bool TryTake()
    {
        lock (_lock)
        {
            if (IsPaused_NeedsLock)
                return false;
            long now = time.GetTimestamp();
            _left = Math.Min(_left + (time.GetElapsedTime(_at, now).TotalSeconds * PerSecond), Burst);
            _at = now;
            if (_left < 1)
                return false;
            _left--;
            return true;
        }
    }

    /// <summary>A circuit was built: the way is clear, unless circuits are torn down as soon as they are built.</summary>
    public void Built()
    {
        lock (_lock)
        {
            _failures = 0;
            if (!_isPausedByTornDown)
                _pause = TimeSpan.Zero;
        }
    }

    /// <summary>A circuit of ours carried a stream: whatever was wrong is over.</summary>
    public void Used()
    {
        lock (_lock)
            (_failures, _tornDown, _isPausedByTornDown, _pause) = (0, 0, false, TimeSpan.Zero);
    }

    /// <summary>A circuit of ours could not be built. True when that begins a pause, each twice as long as the one before.</summary>
    public bool Failed()
    {
        lock (_lock)
            return Pauses_NeedsLock(ref _failures);
    }

    /// <summary>A circuit of ours was built, and torn down by others at once. True when that begins a pause.</summary>
    public bool TornDown()
    {
        lock (_lock)
        {
            if (_tornDownAt is { } at && time.GetElapsedTime(at) < Together)
                return false;
            _tornDownAt = time.GetTimestamp();
            bool pauses = Pauses_NeedsLock(ref _tornDown);
            _isPausedByTornDown |= pauses;
            return pauses;
        }
    }

    private bool Pauses_NeedsLock(ref int count)
    {
        if (++count < MaxFailures || IsPaused_NeedsLock)
            return false;
        count = 0;
        _pausedSince = time.GetTimestamp();
        _pause = _pause == TimeSpan.Zero ? FirstPause : _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        return true;
    }
}
