namespace TorBalancer.Transport;

/// <summary>Why a tunnel ended.</summary>
public enum TunnelEnd : byte
{
    /// <summary>Both sides finished (FIN each way).</summary>
    Finished,

    /// <summary>The client's side was reset or broke.</summary>
    ClientReset,

    /// <summary>The worker's side was reset or broke.</summary>
    UpstreamReset,

    /// <summary>
    /// The worker's side had finished and then took nothing more of what the client still sends (RFC 9112, section 9.6): the
    /// client has the whole answer.
    /// </summary>
    UpstreamClosed,

    /// <summary>No byte either way for the idle limit.</summary>
    IdleTimeout,

    /// <summary>The daemon is stopping and the drain time is over.</summary>
    Drained,

    /// <summary>Ended on request.</summary>
    Aborted,

    /// <summary>Its worker's process or host is gone; the client had better reconnect than hang.</summary>
    WorkerGone,
}

/// <summary>
/// Whose tunnel it is. Not a task: idle tunnels are most of what a proxy holds, and a method that waits takes as much memory as
/// the rest of one.
/// </summary>
public interface ITunnelOwner
{
    /// <summary>Told once when it has ended, on whatever thread ended it; it must neither wait nor throw.</summary>
    /// <param name="how">Why it ended.</param>
    /// <param name="fault">Not null: it was cut, as <see cref="TunnelEnd.Aborted"/>, for a fault of ours.</param>
    void TunnelEnded(TunnelEnd how, Exception? fault = null);
}

/// <summary>A tunnel that is under way.</summary>
internal interface IRunningTunnel
{
    /// <summary>Ends it as <see cref="TunnelEnd.Aborted"/>, soon; from any thread, however often.</summary>
    void Stop();

    /// <summary>Time since it moved a byte, or since it began; from any thread, exact to some milliseconds.</summary>
    TimeSpan SinceMoved { get; }
}

/// <summary>
/// Bytes moved so far, read by views while the tunnel runs; one writer each. Also how it is told to end: a token would take
/// four objects more for each tunnel.
/// </summary>
public sealed class TunnelCounters
{
    private long _fromClient;
    private long _fromUpstream;
    private volatile IRunningTunnel? _running;
    private volatile bool _stopping;

    /// <summary>Called once, by whoever moves bytes, at the next that the client sent; it must neither wait nor throw.</summary>
    internal Action? NextFromClient { get; set; }

    /// <summary>Called once, by whoever moves bytes, at the next that the worker sent; it must neither wait nor throw.</summary>
    internal Action? NextFromUpstream { get; set; }

    /// <summary>Bytes taken from the client and given to the worker.</summary>
    public long FromClient => Volatile.Read(ref _fromClient);

    /// <summary>Bytes taken from the worker and given to the client.</summary>
    public long FromUpstream => Volatile.Read(ref _fromUpstream);

    /// <summary>Time since a byte was moved; null: no tunnel is under way.</summary>
    internal TimeSpan? SinceMoved => _running?.SinceMoved;

    /// <summary>Ends the tunnel as <see cref="TunnelEnd.Aborted"/>, also one that has yet to begin; no effect on one that has ended.</summary>
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

    public void AddFromClient(long bytes)
    {
        Volatile.Write(ref _fromClient, _fromClient + bytes);
        if (bytes > 0 && NextFromClient is { } tell)
        {
            NextFromClient = null;
            tell();
        }
    }

    public void AddFromUpstream(long bytes)
    {
        Volatile.Write(ref _fromUpstream, _fromUpstream + bytes);
        if (bytes > 0 && NextFromUpstream is { } tell)
        {
            NextFromUpstream = null;
            tell();
        }
    }
}

/// <summary>What a tunnel may be told.</summary>
/// <param name="Counters">Where bytes are counted while it runs.</param>
/// <param name="IdleTimeout">Ends the tunnel after this long without a byte either way; zero: never.</param>
public readonly record struct TunnelSettings(TunnelCounters Counters, TimeSpan IdleTimeout)
{
    /// <summary>
    /// How long ago a byte of the worker's may have come to be taken for an answer that the client has yet to read.
    /// </summary>
    internal static readonly TimeSpan RecentAnswer = TimeSpan.FromSeconds(5);

    /// <summary>
    /// When only the worker's side is cut, and the client has yet to read an answer, its connection stays open and the owner is to
    /// end it: in order behind <see cref="TunnelEnd.UpstreamClosed"/>, by a reset behind <see cref="TunnelEnd.UpstreamReset"/>, and not
    /// before the answer has been read. A reset that is sent while the client still sends would make it fail before it looks. False:
    /// the tunnel resets both sides, as it does in all other cases.
    /// </summary>
    public bool LeavesClient { get; init; }
}
