using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport;

/// <summary>
/// The seam between what the proxy does and how bytes move. Two engines of one shape stand behind it: a managed
/// one (System.Net.Sockets, any platform) and, on Linux, one over epoll and splice(2).
/// </summary>
public interface ITransport
{
    /// <summary>The word users write and read: <c>sockets</c> or <c>linux</c>.</summary>
    string Name { get; }

    /// <summary>Binds and listens. Throws <see cref="SocketException"/> when the address cannot be had.</summary>
    ITransportListener Listen(EndPoint address, ListenSettings settings);

    /// <summary>Connects. Expected failures come back as a <see cref="SocketError"/>, not as exceptions.</summary>
    ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// Moves bytes both ways until both sides finished. What either side's <see cref="TransportConnection.Input"/> still
    /// holds goes first. Half-close is kept. Does not dispose the connections; the owner does so as soon as it is told of the
    /// end, which also sends the FIN of the side that finished last. <see cref="TunnelControl.Stop"/> ends it as
    /// <see cref="TunnelEnd.Aborted"/>; it never throws for what the network does.
    /// </summary>
    /// <param name="client">The side that <see cref="TunnelCounters.FromClient"/> counts.</param>
    /// <param name="upstream">The worker's side, of the same transport.</param>
    /// <param name="settings">Counters and limits.</param>
    /// <param name="owner">Told once, maybe before this returns.</param>
    void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner);

    /// <summary>Completes when every thread of the engine's own has taken a turn since; at once where it has none.</summary>
    Task WhenTurnedAsync() => Task.CompletedTask;
}

/// <summary>Accepts connections of one address.</summary>
public interface ITransportListener : IAsyncDisposable
{
    /// <summary>The address that was bound, with the real port.</summary>
    EndPoint LocalEndPoint { get; }

    /// <summary>Runs a loop of <see cref="AcceptAsync"/> where accepting is cheapest; completes when the loop has ended.</summary>
    Task RunAsync(Func<Task> acceptLoop);

    /// <summary>The next connection. Throws <see cref="SocketException"/> on failure; the caller decides whether to go on.</summary>
    ValueTask<TransportConnection> AcceptAsync(CancellationToken cancellationToken);

    /// <summary>Connections are in the kernel's queue, or it is not known; costs a system call and never throws.</summary>
    bool HasQueued => true;

    /// <summary>
    /// A connection that the kernel has already accepted and queued, or null; never waits and never throws for what the network does.
    /// </summary>
    TransportConnection? TryAccept();

    /// <summary>The socket itself, for another process to have as well; null: there is none to give.</summary>
    Socket? Socket => null;

    /// <summary>Whether disposing it takes the file of a unix socket away.</summary>
    bool OwnsFile => false;

    /// <summary>
    /// The socket, and its file, are another process's from now on: disposing closes our descriptor and nothing else. Nobody accepts here.
    /// </summary>
    void Leave()
    {
    }
}

/// <param name="Backlog">Connections that the kernel queues before they are accepted.</param>
/// <param name="UnixFileMode">Permissions of a unix socket's file; null leaves the umask's.</param>
/// <param name="IsDualStack">Whether an IPv6 address takes IPv4 clients as well (RFC 3493, section 5.3): of use for [::] only.</param>
/// <param name="Inherited">Bound to the address already, and listening: taken instead of a new one, and closed with it. Null: none.</param>
/// <param name="OwnsFile">Asked when an inherited unix socket closes: whether its file is to go. Null: it stays.</param>
/// <param name="TakesForeign">
/// Whether it takes connections to addresses that are not this machine's, which TPROXY sends to it (ip(7), IP_TRANSPARENT). Needs
/// CAP_NET_ADMIN or CAP_NET_RAW.
/// </param>
public readonly record struct ListenSettings(
    int Backlog, UnixFileMode? UnixFileMode, bool IsDualStack = false, Socket? Inherited = null, Func<bool>? OwnsFile = null,
    bool TakesForeign = false);

/// <param name="Remote">An IP or unix address; never a name.</param>
/// <param name="LocalAddress">Bind to this address first (a WireGuard link); null: the kernel chooses.</param>
/// <param name="LocalInterface">Bind to this interface first (SO_BINDTODEVICE); null: none.</param>
/// <param name="Opening">Sent as soon as it is connected; the connect succeeds when all of it has been handed to the kernel.</param>
/// <param name="IsService">Not for a client: it may take a descriptor of the reserve.</param>
public readonly record struct TransportConnectRequest(
    EndPoint Remote, IPAddress? LocalAddress = null, string? LocalInterface = null, ReadOnlyMemory<byte> Opening = default,
    bool IsService = false)
{
    internal SocketBinding Binding => new(LocalAddress, LocalInterface);
}

/// <summary>A connection or the reason why there is none.</summary>
public readonly record struct TransportConnectResult(TransportConnection? Connection, SocketError Error);
