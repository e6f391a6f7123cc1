using System.Collections.Concurrent;
using TorBalancer.Primitives;
using TorBalancer.Server.Limits;

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
        if (user is null || context.User?.Account.Name == user)
            return default;
        bool isFirst = context.User is null;
        if (!isFirst)
            Leave(context);
        var account = users.Of(user);
        var verdict = account.Enter(users.LimitsOf(user, context.Listener.Limits));
        if (verdict.Refused is { } kind)
            Of(context.Listener).Refused.Add(kind);
        else
            context.User = new UserUse(account, isFirst ? null : context.Counters);
        return verdict.Error;
    }

    /// <summary>The connection has ended: it counts as nobody's.</summary>
    public static void Leave(ConnectionContext context)
    {
        context.User?.End(context.Counters);
        context.User = null;
    }
}
