namespace TorBalancer.Transport;

/// <summary>Bytes moved so far, read by views while they move; one writer each.</summary>
public class TunnelCounters
{
    private long _fromClient;
    private long _fromUpstream;

    /// <summary>Called once, by whoever moves bytes, at the next that the client sent; it must neither wait nor throw.</summary>
    internal Action? NextFromClient { get; set; }

    /// <summary>Called once, by whoever moves bytes, at the next that the worker sent; it must neither wait nor throw.</summary>
    internal IFirstByteObserver? NextFromUpstream { get; set; }

    /// <summary>What its bytes wait for before they move; null: nothing limits them. Set before they do.</summary>
    internal BandwidthPace? Pace { get; set; }

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
            tell.FirstByteCame();
        }
    }
}
