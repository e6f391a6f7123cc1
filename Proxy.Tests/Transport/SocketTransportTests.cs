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

    /// <summary>As an IPv6 worker on a machine without IPv6, or a process without descriptors: socket(2) itself fails.</summary>
    private sealed class UnknownFamily : EndPoint
    {
        public override AddressFamily AddressFamily => AddressFamily.Banyan;
    }
}
