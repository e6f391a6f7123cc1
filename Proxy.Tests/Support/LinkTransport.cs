using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Tests.Support;

/// <summary>
/// Stands in for the kernel at a link: notes how each socket was to be bound, refuses what it is told to, and leads what
/// takes the link to a TransPort on loopback. Other connections are made for real.
/// </summary>
internal sealed class LinkTransport(EndPoint transPort) : ITransport
{
    private readonly SocketTransport _sockets = new(TimeProvider.System);

    public string Name => "link";

    public ConcurrentQueue<TransportConnectRequest> Requests { get; } = new();

    /// <summary>What connecting over the link fails with.</summary>
    public SocketError LinkError { get; set; } = SocketError.Success;

    /// <summary>Connecting over the link never ends.</summary>
    public bool LinkHangs { get; set; }

    public IEnumerable<TransportConnectRequest> OverLink => Requests.Where(static request => request.LocalInterface is not null);

    public ITransportListener Listen(EndPoint address, ListenSettings settings) => _sockets.Listen(address, settings);

    public async ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken)
    {
        Requests.Enqueue(request);
        if (request.LocalInterface is null)
            return await _sockets.ConnectAsync(request, cancellationToken);
        if (LinkHangs)
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        return LinkError == SocketError.Success
            ? await _sockets.ConnectAsync(new TransportConnectRequest(transPort), cancellationToken)
            : new TransportConnectResult(null, LinkError);
    }

    public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
        _sockets.BeginTunnel(client, upstream, settings, owner);
}
