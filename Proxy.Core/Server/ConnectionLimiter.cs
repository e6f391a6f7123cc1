using System.Collections.Concurrent;
using TorBalancer.Primitives;
using TorBalancer.Server.Limits;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>Whether connections are let in, by listener, client and user.</summary>
internal sealed class ConnectionLimiter(UserTable users, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, ListenerLimiter> _listeners = new(StringComparer.Ordinal);

    public UserTable Users => users;

    /// <summary>Those of listeners that have had something to limit, by name.</summary>
    public IEnumerable<KeyValuePair<string, ListenerLimiter>> Listeners =>
        _listeners.OrderBy(static pair => pair.Key, StringComparer.Ordinal);

    /// <summary>That of a listener; one that gets another model keeps its own.</summary>
    public ListenerLimiter Of(ListenerModel listener) =>
        _listeners.GetOrAdd(listener.Name, static (_, time) => new ListenerLimiter(time), time);

    /// <summary>
    /// A connection asks for something: whether it may. That of a client that was refused may not; that of a user counts as the user's from
    /// here until it ends or says that it is another's.
    /// </summary>
    /// <param name="user">The user that it has proved to be; null: none that the listener knows.</param>
    public ProxyError Enter(ConnectionContext context, string? user)
    {
        if (context.IsRefused)
            return context.Error;
        var limits = context.Listener.Limits;
        if (user is null || context.User?.Account.Name == user)
        {
            if (limits is not null && context.Counters.Pace is null)
                context.Counters.Pace = PaceOf(context, limits, 0);
            return default;
        }

        Leave(context);
        var account = users.Of(user);
        var own = users.LimitsOf(user, limits);
        var verdict = account.Enter(own);
        if (verdict.Refused is { } kind)
        {
            Of(context.Listener).Refused.Add(kind);
            context.Counters.Pace = limits is null ? null : PaceOf(context, limits, 0);
            return verdict.Error;
        }

        context.User = new UserUse(account, context.Counters);
        context.Counters.Pace = PaceOf(context, limits, own.Bandwidth ?? 0);
        return default;
    }

    /// <summary>A listener has another model: what can change for connections that there are does.</summary>
    public void Apply(ListenerModel listener)
    {
        if (listener.Limits is not null || _listeners.ContainsKey(listener.Name))
            Of(listener).Apply(listener.Limits);
    }

    /// <summary>What the connection's bytes wait for; null: nothing.</summary>
    private BandwidthPace? PaceOf(ConnectionContext context, ListenerLimitModel? limits, long ofUser)
    {
        bool isListener = limits is { Bandwidth: > 0 }, isClient = limits is { BandwidthPerClient: > 0 } && context.Client is not null;
        if (!isListener && !isClient && ofUser == 0)
            return null;
        var buckets = new List<BandwidthBucket>(3);
        if (ofUser > 0)
            buckets.Add(context.User!.Account.Bandwidth);
        if (isClient && context.Client!.Bandwidth is { } client)
            buckets.Add(client);
        if (isListener)
            buckets.Add(Of(context.Listener).Bandwidth);
        return buckets.Count == 0 ? null : new BandwidthPace(time, [.. buckets]);
    }

    /// <summary>The connection has ended: it counts as nobody's.</summary>
    public static void Leave(ConnectionContext context)
    {
        context.User?.End(context.Counters);
        context.User = null;
    }
}
