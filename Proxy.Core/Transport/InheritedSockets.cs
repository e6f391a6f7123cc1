using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport;

/// <summary>
/// Sockets that listen already because somebody else has opened them: the service manager, by the listener they are for (one for each, or
/// one for each port of its range), or the daemon that ours takes over from. Each is used once.
/// </summary>
/// <param name="sockets">With the names, in any letter case.</param>
internal sealed class InheritedSockets(IEnumerable<InheritedSocket> sockets)
{
    private readonly Lock _lock = new();
    private readonly List<InheritedSocket> _sockets = [.. sockets];

    /// <summary>Nobody has opened one.</summary>
    public static InheritedSockets None { get; } = new([]);

    /// <summary>Those that nobody has taken yet, a name for each.</summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_lock)
                return [.. _sockets.Select(static one => one.Name)];
        }
    }

    /// <summary>
    /// The socket for a listener, which is the caller's from now on; null: none was inherited for it. One of the service manager's goes by
    /// the name and where it listens, one of a predecessor's by what was configured there: with another address it is another listener.
    /// </summary>
    /// <param name="isMeant">Whether one of the service manager's that listens there is for that address.</param>
    public InheritedSocket? Take(string listener, EndPoint address, Func<EndPoint, bool> isMeant)
    {
        lock (_lock)
        {
            var found = _sockets.Find(one => HasName(one, listener) && (one.Configured is null ? IsMeant(one) : IsSame(one)))
                ?? _sockets.Find(one => one.Configured is not null && IsSame(one) && address is not IPEndPoint { Port: 0 });
            if (found is not null)
                _sockets.Remove(found);
            return found;
        }

        bool IsMeant(InheritedSocket one) => one.Socket.LocalEndPoint is { } own && isMeant(own);

        bool IsSame(InheritedSocket one) => one.Configured == address.ToString();
    }

    /// <summary>Where one of the service manager's for that listener listens; null: there is none such.</summary>
    public EndPoint? Find(string listener, Func<EndPoint, bool> isMeant)
    {
        lock (_lock)
        {
            return _sockets.Find(
                one => HasName(one, listener) && one.Configured is null && one.Socket.LocalEndPoint is { } own && isMeant(own))
                ?.Socket.LocalEndPoint;
        }
    }

    /// <summary>Closes those of a predecessor that no listener has taken: who connects there is refused from now on.</summary>
    public void CloseRest()
    {
        lock (_lock)
        {
            foreach (var one in _sockets.Where(static one => one.Configured is not null))
            {
                string? file = (one.Socket.LocalEndPoint as UnixDomainSocketEndPoint)?.ToString();
                one.Socket.Dispose();
                if (file is not null && one.OwnsFile())
                    File.Delete(file);
            }

            _sockets.RemoveAll(static one => one.Configured is not null);
        }
    }

    private static bool HasName(InheritedSocket one, string listener) => one.Name.Equals(listener, StringComparison.OrdinalIgnoreCase);
}

/// <summary>A socket that listens already.</summary>
/// <param name="Name">Of the listener that it is for.</param>
/// <param name="Configured">The address that its listener had in the configuration; null: the service manager has opened it.</param>
internal sealed record InheritedSocket(string Name, Socket Socket, string? Configured = null)
{
    /// <summary>Whether closing it removes the file of a unix socket: true when that is ours by then.</summary>
    public Func<bool> OwnsFile { get; init; } = static () => false;
}
