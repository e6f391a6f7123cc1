namespace TorBalancer.Transport;

/// <summary>
/// A tunnel as its owner holds it: what it has moved, how long it has been silent, and how it is told to end. One object for all of
/// that, because idle tunnels are most of what a proxy holds: a token to cancel would take four objects more for each.
/// </summary>
public sealed class TunnelControl : TunnelCounters
{
    private volatile IRunningTunnel? _running;
    private volatile bool _stopping;

    /// <summary>Time since a byte was moved; null: no tunnel is under way.</summary>
    internal TimeSpan? SinceMoved => _running?.SinceMoved;

    /// <summary>
    /// Ends the tunnel as <see cref="TunnelEnd.Aborted"/>, also one that has yet to begin; no effect on one that has ended.
    /// </summary>
    public void Stop()
    {
        _stopping = true;

        // A full fence on both sides: either the tunnel is seen here, or it sees that it is to stop.
        Interlocked.MemoryBarrier();
        _running?.Stop();
    }

    /// <summary>The tunnel begins.</summary>
    internal void Begin(IRunningTunnel tunnel)
    {
        _running = tunnel;
        Interlocked.MemoryBarrier();
        if (_stopping)
            tunnel.Stop();
    }

    /// <summary>The tunnel has ended.</summary>
    internal void End() => _running = null;
}

/// <summary>A tunnel that is under way.</summary>
internal interface IRunningTunnel
{
    /// <summary>Ends it as <see cref="TunnelEnd.Aborted"/>, soon; from any thread, however often.</summary>
    void Stop();

    /// <summary>Time since it moved a byte, or since it began; from any thread, exact to some milliseconds.</summary>
    TimeSpan SinceMoved { get; }
}
