using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport;

/// <summary>
/// Sockets that listen already because somebody else has opened them for us, by the listener they are for: one for each, or one for each
/// port of its range. Each is used once.
/// </summary>
/// <param name="sockets">With the names, in any letter case.</param>
internal sealed class InheritedSockets(IEnumerable<KeyValuePair<string, Socket>> sockets)
{
    private readonly Lock _lock = new();
    private readonly List<KeyValuePair<string, Socket>> _sockets = [.. sockets];

    /// <summary>There are none.</summary>
    public static InheritedSockets None { get; } = new([]);

    /// <summary>Those that nobody has taken yet, a name for each.</summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_lock)
                return [.. _sockets.Select(static one => one.Key)];
        }
    }

    /// <summary>The first socket for a listener on such an address, which is the caller's from now on; null: there is none.</summary>
    public Socket? Take(string listener, Func<EndPoint, bool> isMeant)
    {
        lock (_lock)
        {
            int at = IndexOf_NeedsLock(listener, isMeant);
            if (at < 0)
                return null;
            var socket = _sockets[at].Value;
            _sockets.RemoveAt(at);
            return socket;
        }
    }

    /// <summary>Where such a socket listens; null: there is none.</summary>
    public EndPoint? Find(string listener, Func<EndPoint, bool> isMeant)
    {
        lock (_lock)
            return IndexOf_NeedsLock(listener, isMeant) is >= 0 and var at ? _sockets[at].Value.LocalEndPoint : null;
    }

    private int IndexOf_NeedsLock(string listener, Func<EndPoint, bool> isMeant) => _sockets.FindIndex(
        one => one.Key.Equals(listener, StringComparison.OrdinalIgnoreCase) && one.Value.LocalEndPoint is { } own && isMeant(own));
}
