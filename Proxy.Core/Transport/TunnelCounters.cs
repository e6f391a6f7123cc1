namespace TorBalancer.Transport;

/// <summary>What has moved is to be told to somebody's totals.</summary>
internal interface IByteAccount
{
    /// <summary>Tells what has moved since it was told last; from any thread.</summary>
    void CountBytes();
}

/// <summary>Bytes moved so far, read by views while they move; one writer each.</summary>
public class TunnelCounters
{
    private long _fromClient;
    private long _fromUpstream;
    private IByteAccount? _account;

    /// <summary>Called once, by whoever moves bytes, at the next that the client sent; it must neither wait nor throw.</summary>
    internal Action? NextFromClient { get; set; }

    /// <summary>Called once, by whoever moves bytes, at the next that the worker sent; it must neither wait nor throw.</summary>
    internal IFirstByteObserver? NextFromUpstream { get; set; }

    /// <summary>Whose bytes are counted here now, to be told to its worker's totals at any time; null: nobody's.</summary>
    internal IByteAccount? Account
    {
        get => Volatile.Read(ref _account);
        set => Volatile.Write(ref _account, value);
    }

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
