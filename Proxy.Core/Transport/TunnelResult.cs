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

    /// <summary>No byte either way for the idle limit.</summary>
    IdleTimeout,

    /// <summary>The daemon is stopping and the drain time is over.</summary>
    Drained,

    /// <summary>Ended on request.</summary>
    Aborted,

    /// <summary>Its worker's process or host is gone; the client had better reconnect than hang.</summary>
    WorkerGone,
}

/// <summary>Bytes moved so far, read by views while the tunnel runs; one writer each.</summary>
public sealed class TunnelCounters
{
    private long _fromClient;
    private long _fromUpstream;

    /// <summary>Called once, by whoever moves bytes, at the next that the client sent; it must neither wait nor throw.</summary>
    internal Action? NextFromClient { get; set; }

    /// <summary>Called once, by whoever moves bytes, at the next that the worker sent; it must neither wait nor throw.</summary>
    internal Action? NextFromUpstream { get; set; }

    /// <summary>Bytes taken from the client and given to the worker.</summary>
    public long FromClient => Volatile.Read(ref _fromClient);

    /// <summary>Bytes taken from the worker and given to the client.</summary>
    public long FromUpstream => Volatile.Read(ref _fromUpstream);

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
public readonly record struct TunnelSettings(TunnelCounters Counters, TimeSpan IdleTimeout);
