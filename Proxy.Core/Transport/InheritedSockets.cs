using System.Collections.Concurrent;
using System.Net.Sockets;

namespace TorBalancer.Transport;

/// <summary>
/// Sockets that listen already because somebody else has opened them for us, by the listener they are for. Each is used once.
/// </summary>
/// <param name="sockets">With the names, in any letter case.</param>
internal sealed class InheritedSockets(IEnumerable<KeyValuePair<string, Socket>> sockets)
{
    private readonly ConcurrentDictionary<string, Socket> _sockets = new(sockets, StringComparer.OrdinalIgnoreCase);

    /// <summary>There are none.</summary>
    public static InheritedSockets None { get; } = new([]);

    /// <summary>Those that nobody has taken yet.</summary>
    public ICollection<string> Names => _sockets.Keys;

    /// <summary>The socket for a listener, which is the caller's from now on; null: none was inherited for it.</summary>
    public Socket? Take(string listener) => _sockets.TryRemove(listener, out var socket) ? socket : null;
}
