using TorBalancer.Configuration.Options;
using TorBalancer.Transport;

namespace TorBalancer.Server.Limits;

/// <summary>What one user may have; of its own section, or of the listener that it comes by.</summary>
/// <param name="MaxConnections">0: no limit.</param>
/// <param name="Bandwidth">Bytes a second; 0: no limit; null: neither says anything, and what another listener says stays.</param>
internal readonly record struct UserLimits(int MaxConnections, ConnectionRate Rate, long? Bandwidth)
{
    /// <summary>Whether a connection may be refused.</summary>
    public bool Any => MaxConnections > 0 || Rate.IsSet;
}

/// <summary>One user's connections on all listeners: those there are, and all there were. From any thread.</summary>
/// <param name="name">As the parsers give it, one character for each byte of UTF-8.</param>
internal sealed class UserAccount(string name, TimeProvider time)
{
    private readonly Lock _lock = new();
    private ConnectionBucket _bucket;
    private int _active;
    private long _accepted, _fromClient, _fromUpstream;

    public string Name => name;

    /// <summary>Connections that were let in and have not ended.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Connections that were let in.</summary>
    public long Accepted => Interlocked.Read(ref _accepted);

    /// <summary>Bytes taken from the user, and given to it, as far as they have been counted: see <see cref="UserUse.Count"/>.</summary>
    public long FromClient => Interlocked.Read(ref _fromClient);

    /// <inheritdoc cref="FromClient"/>
    public long FromUpstream => Interlocked.Read(ref _fromUpstream);

    /// <summary>Bytes a second of all its connections; without a rate where they are not limited.</summary>
    public BandwidthBucket Bandwidth { get; } = new(time);

    /// <summary>Connections that were refused, by the limit.</summary>
    public LimitCounts Refused { get; } = new();

    /// <summary>Lets a connection in, or not; one that is let in is given back with <see cref="Leave"/>.</summary>
    public LimitVerdict Enter(in UserLimits limits)
    {
        if (limits.Bandwidth is { } rate)
            Bandwidth.Rate = rate;
        if (!limits.Any)
        {
            Interlocked.Increment(ref _active);
            Interlocked.Increment(ref _accepted);
            return default;
        }

        // Both limits under one lock: a connection that one of them refuses takes nothing of the other, not even for a moment in which
        // a third might be refused for it.
        LimitVerdict verdict;
        lock (_lock)
        {
            verdict = Judge_NeedsLock(limits);
            if (verdict.Refused is null)
                Interlocked.Increment(ref _active);
        }

        if (verdict.Refused is { } kind)
            Refused.Add(kind);
        else
            Interlocked.Increment(ref _accepted);
        return verdict;
    }

    public void Leave() => Interlocked.Decrement(ref _active);

    public void AddBytes(long fromClient, long fromUpstream)
    {
        Interlocked.Add(ref _fromClient, fromClient);
        Interlocked.Add(ref _fromUpstream, fromUpstream);
    }

    private LimitVerdict Judge_NeedsLock(in UserLimits limits) =>
        limits.MaxConnections > 0 && Active >= limits.MaxConnections ? new LimitVerdict(LimitKind.MaxConnectionsPerUser)
        : _bucket.TryTake(limits.Rate, time.GetTimestamp(), time, out var wait) ? default
        : new LimitVerdict(LimitKind.ConnectionRatePerUser, wait);
}

/// <summary>One connection's use of a user's account.</summary>
/// <param name="account">Whose it is from now on.</param>
/// <param name="counters">What the connection has moved before is not this user's.</param>
internal sealed class UserUse(UserAccount account, TunnelCounters counters)
{
    private long _fromClient = counters.FromClient, _fromUpstream = counters.FromUpstream;

    public UserAccount Account => account;

    /// <summary>Adds what the connection has moved since the last time; from any thread.</summary>
    public void Count(TunnelCounters counters)
    {
        long up = counters.FromClient, down = counters.FromUpstream;
        account.AddBytes(Advance(ref _fromClient, up), Advance(ref _fromUpstream, down));
    }

    /// <summary>The connection has ended, or is another user's.</summary>
    public void End(TunnelCounters counters)
    {
        Count(counters);

        // Who still holds this one adds nothing any more: what moves from now on is another's.
        Interlocked.Exchange(ref _fromClient, long.MaxValue);
        Interlocked.Exchange(ref _fromUpstream, long.MaxValue);
        account.Leave();
    }

    /// <summary>Several may count at once: each byte is added by one of them.</summary>
    private static long Advance(ref long counted, long now)
    {
        while (true)
        {
            long before = Interlocked.Read(ref counted);
            if (now <= before)
                return 0;
            if (Interlocked.CompareExchange(ref counted, now, before) == before)
                return now - before;
        }
    }
}
