namespace TorBalancer.Transport.Linux;

/// <summary>What goes on when its turn has come.</summary>
internal interface IPacedFlow
{
    /// <summary>On the loop's thread.</summary>
    void Resume();
}

/// <summary>
/// One direction of what is moved by a pace: a piece is reserved before it is read, and between two the loop does other things. On the
/// loop's thread only, but for <see cref="IsWaiting"/>.
/// </summary>
internal sealed class PacedFlow(BandwidthPace pace, EventLoop loop, IPacedFlow flow) : LoopTimer
{
    private long _due;
    private int _left;
    private volatile bool _isWaiting;

    /// <summary>There is something to read, and its turn is yet to come.</summary>
    public bool IsWaiting => _isWaiting;

    /// <summary>All that was reserved has been read.</summary>
    public bool IsSpent => _left == 0;

    /// <summary>Bytes that may be read now; 0: none, and the flow will be resumed.</summary>
    public int Take()
    {
        if (_isWaiting)
            return 0;
        if (_left == 0)
        {
            _left = pace.Piece;
            pace.Reserve(_left, out _due);
        }

        return Wait() ? 0 : _left;
    }

    /// <summary>So many of them were read.</summary>
    public void Took(int bytes) => _left -= bytes;

    /// <summary>Nothing is there to be read: what was reserved is others'.</summary>
    public void GiveBack()
    {
        pace.Return(_left);
        _left = 0;
    }

    /// <summary>It ends.</summary>
    public void End()
    {
        loop.Timers.Remove(this);
        _isWaiting = false;
        GiveBack();
    }

    internal override void OnTimer()
    {
        // The wheel's clock and the pace's are two.
        _isWaiting = false;
        if (!Wait())
            flow.Resume();
    }

    private bool Wait()
    {
        var wait = pace.Until(_due);
        if (wait <= TimeSpan.Zero)
            return false;
        _isWaiting = true;
        loop.Timers.Add(this, loop.Now + (long)Math.Ceiling(wait.TotalMilliseconds));
        return true;
    }
}
