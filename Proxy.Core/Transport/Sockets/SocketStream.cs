using System.Net;
using System.Net.Sockets;
using TorBalancer.Primitives;

namespace TorBalancer.Transport.Sockets;

/// <summary>A stream for requests of our own that go neither through Tor nor through the engine: to a webhook, to the admin API.</summary>
internal static class SocketStream
{
    /// <summary>
    /// A client for one URL, whose host is an IP address or localhost. It is connected to as such: neither a proxy of the environment,
    /// which may be ours, nor the system's resolver has a part in it.
    /// </summary>
    public static HttpMessageInvoker CreateClient(Uri url)
    {
        var address = AddressLiteral.TryParse(url.Host.Trim('[', ']'), out var literal) ? literal : IPAddress.Loopback;
        var endPoint = new IPEndPoint(address, url.Port);
        return new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10),
            ConnectCallback = (_, token) => ConnectAsync(endPoint, token),
        });
    }

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
