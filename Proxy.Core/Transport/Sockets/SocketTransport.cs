using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>The engine over System.Net.Sockets: any platform, and what a Linux engine falls back to.</summary>
public sealed class SocketTransport(TimeProvider time, SocketSettings socketSettings = default) : ITransport
{
    public string Name => "sockets";

    public ITransportListener Listen(EndPoint address, ListenSettings settings) =>
        new SocketTransportListener(ListeningSocket.Bind(address, settings, socketSettings));

    public async ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            // socket(2) fails too: no descriptors left, or a family that this machine does not have.
            socket = CreateSocket(request.Remote);
            SocketTuning.Apply(socket, socketSettings, request.Remote);
            request.Binding.Apply(socket);
            await socket.ConnectAsync(request.Remote, cancellationToken);
            for (var left = request.Opening; !left.IsEmpty;)
                left = left[await socket.SendAsync(left, SocketFlags.None, cancellationToken)..];
            return new TransportConnectResult(new SocketConnection(socket), SocketError.Success);
        }
        catch (SocketException failure)
        {
            socket?.Dispose();
            return new TransportConnectResult(null, failure.SocketErrorCode);
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
        _ = new SocketTunnel((SocketConnection)client, (SocketConnection)upstream, settings, time).RunAsync(owner);

    internal static Socket CreateSocket(EndPoint endPoint) => endPoint switch
    {
        UnixDomainSocketEndPoint => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
        _ => new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp),
    };
}
