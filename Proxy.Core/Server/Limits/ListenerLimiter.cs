using System.Net;
using TorBalancer.Transport;

namespace TorBalancer.Server.Limits;

/// <summary>What the clients of one listener have taken of its limits; it stays when the listener gets another model.</summary>
internal sealed class ListenerLimiter(TimeProvider time)
{
    private readonly Lock _lock = new();
    private ConnectionBucket _bucket;

    /// <summary>Those that are told apart.</summary>
    public ClientTable Clients { get; } = new(time);

    /// <summary>Connections that were refused here, by the limit.</summary>
    public LimitCounts Refused { get; } = new();

    /// <summary>Bytes a second of all of them.</summary>
    public BandwidthBucket Bandwidth { get; } = new(time);

    /// <summary>From now on that is configured, for connections that there are, too.</summary>
    public void Apply(ListenerLimitModel? limits)
    {
        Bandwidth.Rate = limits?.Bandwidth ?? 0;
        Clients.SetBandwidth(limits?.BandwidthPerClient ?? 0);
    }

    /// <summary>Lets a connection in, or not. The client's own limits go first: who passes them takes nothing from the others.</summary>
    /// <param name="address">Null for a peer of a unix socket, who is no client of his own.</param>
    /// <param name="account">To be left when it has ended; null: the client is not counted.</param>
    /// <param name="mayAnswer">False for one that is refused and is to be cut.</param>
    public LimitVerdict Enter(ListenerLimitModel limits, IPAddress? address, out ClientAccount? account, out bool mayAnswer)
    {
        account = null;
        mayAnswer = true;
        if (address is not null && EnterClient(limits, address, out account, out mayAnswer) is { Refused: not null } verdict)
            return verdict;

        TimeSpan wait;
        lock (_lock)
        {
            if (_bucket.TryTake(limits.ConnectionRate, time.GetTimestamp(), time, out wait))
                return default;
        }

        Refused.Add(LimitKind.ConnectionRate);
        account?.Leave(wasRefused: false);
        account = null;
        return new LimitVerdict(LimitKind.ConnectionRate, wait);
    }

    /// <summary>Takes back that a connection came which its client's own limits refuse.</summary>
    public void Return(ListenerLimitModel limits)
    {
        lock (_lock)
            _bucket.Return(limits.ConnectionRate, time);
    }

    /// <summary>Lets a client in by its own limits alone; the listener's were asked when its address was not known yet.</summary>
    /// <inheritdoc cref="Enter" />
    public LimitVerdict EnterClient(ListenerLimitModel limits, IPAddress address, out ClientAccount? account, out bool mayAnswer)
    {
        account = null;
        mayAnswer = true;
        if (!limits.CountsClients)
            return default;
        var verdict = Clients.Enter(address, limits, out account);
        mayAnswer = account is not null;
        if (verdict.Refused is { } kind)
            Refused.Add(kind);
        return verdict;
    }
}
