using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Tests.Transport;

[CancelAfter(30_000)]
public class SocketTransportTests
{
    [Test]
    public async Task ConnectAsync_when_no_socket_can_be_had_is_a_result_and_not_an_exception(CancellationToken token)
    {
        var result = await new SocketTransport(TimeProvider.System).ConnectAsync(new TransportConnectRequest(new UnknownFamily()), token);
        Assert.That(result.Connection, Is.Null);
        Assert.That(result.Error, Is.Not.EqualTo(SocketError.Success));
    }

    [Test]
    public async Task AcceptAsync_gives_connections_whose_dead_peers_are_noticed(CancellationToken token)
    {
        await using var listener = new SocketTransport(TimeProvider.System, new SocketSettings(TimeSpan.FromMinutes(1)))
            .Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(4, null));
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint, token);
        await using var accepted = (SocketConnection)await listener.AcceptAsync(token);
        Assert.That(accepted.Socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive), Is.Not.EqualTo(0));
        Assert.That(accepted.Socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime), Is.EqualTo(60));
    }

    /// <summary>As an IPv6 worker on a machine without IPv6, or a process without descriptors: socket(2) itself fails.</summary>
    private sealed class UnknownFamily : EndPoint
    {
        public override AddressFamily AddressFamily => AddressFamily.Banyan;
    }
}
