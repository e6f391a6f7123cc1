using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>A stream for requests of our own that go neither through Tor nor through the engine: to a webhook, to the admin API.</summary>
internal static class SocketStream
{
    /// <summary>Connects to an address or a unix socket. Throws <see cref="SocketException"/>.</summary>
    public static async ValueTask<Stream> ConnectAsync(EndPoint endPoint, CancellationToken cancellationToken)
    {
        var socket = endPoint is UnixDomainSocketEndPoint
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
