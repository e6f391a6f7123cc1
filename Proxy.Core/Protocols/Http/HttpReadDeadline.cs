namespace TorBalancer.Protocols.Http;

/// <summary>
/// The time limits of one connection's reads, one after the other. As long as none runs out they share one token, and one timer that
/// is not set anew for each: it looks how much is left when it fires.
/// </summary>
internal sealed class HttpReadDeadline(TimeProvider time, CancellationToken stopping) : IDisposable
{
    private readonly Lock _lock = new();
    private CancellationTokenSource? _source, _orStopping;
    private CancellationToken _outer;
    private ITimer? _timer;
    private TimeSpan _limit;
    private long _began, _timerBegan;
    private TimeSpan _timerSet = Timeout.InfiniteTimeSpan;
    private bool _runs;

    /// <summary>Cancelled when the limit is over or by the caller's token.</summary>
    public CancellationToken Token { get; private set; }

    /// <summary>As <see cref="Token"/>, and when the daemon drains. For whoever began, while it counts.</summary>
    public CancellationToken OrStopping => (_orStopping ??= CancellationTokenSource.CreateLinkedTokenSource(Token, stopping)).Token;

    /// <summary>It was the time, not the caller.</summary>
    public bool Expired { get; private set; }

    /// <summary>Begins to count.</summary>
    public void Begin(TimeSpan limit, CancellationToken outer)
    {
        lock (_lock)
        {
            if (_source is null || _source.IsCancellationRequested || _outer != outer)
                Renew_NeedsLock(outer);
            (_runs, Expired) = (true, false);
            Count_NeedsLock(limit);
        }
    }

    /// <summary>Sets another limit from now on, unless it is too late.</summary>
    public void Restart(TimeSpan limit)
    {
        lock (_lock)
        {
            if (_runs)
                Count_NeedsLock(limit);
        }
    }

    /// <summary>The read is over in time.</summary>
    public void End()
    {
        lock (_lock)
            _runs = false;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _runs = false;
            _timer?.Dispose();
            _timer = null;
            _source?.Dispose();
            _orStopping?.Dispose();
            _source = _orStopping = null;
        }
    }

    private void Renew_NeedsLock(CancellationToken outer)
    {
        _source?.Dispose();
        _orStopping?.Dispose();
        _outer = outer;
        _source = CancellationTokenSource.CreateLinkedTokenSource(outer);
        _orStopping = null;
        Token = _source.Token;
    }

    private void Count_NeedsLock(TimeSpan limit)
    {
        (_limit, _began) = (limit, time.GetTimestamp());

        // One that fires sooner than needed sets itself for the rest.
        if (_timerSet == Timeout.InfiniteTimeSpan || _timerSet - time.GetElapsedTime(_timerBegan, _began) > limit)
            Set_NeedsLock(limit);
    }

    private void Set_NeedsLock(TimeSpan due)
    {
        (_timerSet, _timerBegan) = (due, time.GetTimestamp());
        if (_timer is null)
            _timer = time.CreateTimer(static state => ((HttpReadDeadline)state!).Fire(), this, due, Timeout.InfiniteTimeSpan);
        else
            _timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    private void Fire()
    {
        CancellationTokenSource? expired;
        lock (_lock)
        {
            _timerSet = Timeout.InfiniteTimeSpan;
            if (!_runs || _source is null)
                return;
            var left = _limit - time.GetElapsedTime(_began);
            if (left > TimeSpan.Zero)
            {
                Set_NeedsLock(left);
                return;
            }

            // Taken away first: a read that ends in this very moment leaves nothing behind that could end the next.
            (expired, _source) = (_source, null);
            (_runs, Expired) = (false, !expired.IsCancellationRequested);
        }

        expired.Cancel();
        expired.Dispose();
    }
}
