using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Support;

/// <summary>
/// Tells connects that are made in advance (they open with nothing) from those of dials; fails or holds the former when told to.
/// </summary>
internal sealed class GatedTransport(ITransport inner) : ITransport
{
    private int _inAdvance;

    public string Name => inner.Name;

    /// <summary>Connects in advance that were begun.</summary>
    public int InAdvance => Volatile.Read(ref _inAdvance);

    /// <summary>What a connect in advance fails with.</summary>
    public SocketError Error { get; set; } = SocketError.Success;

    /// <summary>Connects in advance wait for this first.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public ITransportListener Listen(EndPoint address, ListenSettings settings) => inner.Listen(address, settings);

    public ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken) =>
        request.Opening.IsEmpty ? InAdvanceAsync(request, cancellationToken) : inner.ConnectAsync(request, cancellationToken);

    public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
        inner.BeginTunnel(client, upstream, settings, owner);

    private async ValueTask<TransportConnectResult> InAdvanceAsync(TransportConnectRequest request, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _inAdvance);
        await Gate.WaitAsync(cancellationToken);
        return Error == SocketError.Success
            ? await inner.ConnectAsync(request, cancellationToken)
            : new TransportConnectResult(null, Error);
    }
}
