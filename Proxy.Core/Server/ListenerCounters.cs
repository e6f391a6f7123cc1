using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>What comes to one listener, since the start. Counting is one atomic addition.</summary>
internal sealed class ListenerCounters
{
    private readonly CauseCounts[] _requests = [.. Enum.GetValues<ClientProtocol>().Select(static _ => new CauseCounts())];
    private readonly long[] _ends = new long[Enum.GetValues<TunnelEnd>().Length];
    private long _accepted, _notAllowed, _full, _badHeaders;

    /// <summary>Clients that were let in.</summary>
    public long Accepted => Interlocked.Read(ref _accepted);

    /// <summary>Clients that were cut because AllowFrom does not name them.</summary>
    public long NotAllowed => Interlocked.Read(ref _notAllowed);

    /// <summary>Clients that were cut because MaxConnections others were there.</summary>
    public long Full => Interlocked.Read(ref _full);

    /// <summary>Peers that ProxyProtocol names and that were cut because no header came, or a wrong one.</summary>
    public long BadHeaders => Interlocked.Read(ref _badHeaders);

    /// <summary>What was asked for in this protocol, by what became of it: as many as the access log has lines.</summary>
    public CauseCounts Requests(ClientProtocol protocol) => _requests[(int)protocol];

    /// <summary>Tunnels that ended in this way.</summary>
    public long Ended(TunnelEnd how) => Interlocked.Read(ref _ends[(int)how]);

    public void CountAccepted() => Interlocked.Increment(ref _accepted);

    public void CountNotAllowed() => Interlocked.Increment(ref _notAllowed);

    public void CountFull() => Interlocked.Increment(ref _full);

    public void CountBadHeader() => Interlocked.Increment(ref _badHeaders);

    public void CountRequest(ClientProtocol protocol, FailureCause cause) => _requests[(int)protocol].Add(cause);

    public void CountEnd(TunnelEnd how) => Interlocked.Increment(ref _ends[(int)how]);
}
