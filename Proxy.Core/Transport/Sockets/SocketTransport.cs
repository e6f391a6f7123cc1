using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>The engine over System.Net.Sockets: any platform, and what a Linux engine falls back to.</summary>
public sealed class SocketTransport : ITransport
{
    private readonly TimeProvider _time;
    private readonly SocketSettings _settings;
    private readonly OpenSockets _open;

    /// <param name="time">For the limits of tunnels.</param>
    /// <param name="socketSettings">For the connections that are made and accepted.</param>
    public SocketTransport(TimeProvider time, SocketSettings socketSettings = default)
        : this(time, socketSettings, DescriptorBudget.Unlimited())
    {
    }

    /// <param name="time">For the limits of tunnels.</param>
    /// <param name="socketSettings">For the connections that are made and accepted.</param>
    /// <param name="descriptors">What connections are taken from.</param>
    internal SocketTransport(TimeProvider time, SocketSettings socketSettings, DescriptorBudget descriptors) =>
        (_time, _settings, _open) = (time, socketSettings, new OpenSockets(descriptors));

    public string Name => "sockets";

    public ITransportListener Listen(EndPoint address, ListenSettings settings) =>
        new SocketTransportListener(ListeningSocket.Bind(address, settings, _settings), _open);

    public async ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            socket = SocketTuning.Create(request.Remote);
            _open.Connecting(socket, request.IsService);
            SocketTuning.Apply(socket, _settings, request.Remote);
            request.Binding.Apply(socket);
            await socket.ConnectAsync(request.Remote, cancellationToken);
            for (var left = request.Opening; !left.IsEmpty;)
                left = left[await socket.SendAsync(left, SocketFlags.None, cancellationToken)..];
            return new TransportConnectResult(new SocketConnection(socket, _open), SocketError.Success);
        }
        catch (SocketException failure)
        {
            Drop(socket);
            return new TransportConnectResult(null, failure.SocketErrorCode);
        }
        catch
        {
            Drop(socket);
            throw;
        }
    }

    public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
        _ = new SocketTunnel((SocketConnection)client, (SocketConnection)upstream, settings, _time).RunAsync(owner);

    /// <summary>One that was never connected.</summary>
    private void Drop(Socket? socket)
    {
        if (socket is null)
            return;
        socket.Dispose();
        _open.Closed();
    }
}
