using System.Net;
using System.Net.Sockets;
using TorBalancer.Testnet.Dns;

namespace TorBalancer.Tests.Testnet.Dns;

public sealed class TestDnsServerTests
{
    [Test]
    [CancelAfter(10_000)]
    public async Task Server_answers_and_survives_garbage(CancellationToken cancellationToken)
    {
        await using TestDnsServer server = TestDnsServer.Start(
            new IPEndPoint(IPAddress.Loopback, 0), new TestZone(IPAddress.Parse("127.0.31.1")));
        using var client = new UdpClient();
        client.Connect(server.LocalEndPoint);

        await client.SendAsync(new byte[] { 1, 2, 3 }, cancellationToken);
        await client.SendAsync(DnsMessageTests.Query("silent.test", DnsType.A), cancellationToken);
        await client.SendAsync(DnsMessageTests.Query("origin.test", DnsType.A), cancellationToken);
        UdpReceiveResult answer = await client.ReceiveAsync(cancellationToken);

        Assert.That(answer.Buffer[^4..], Is.EqualTo(new byte[] { 127, 0, 31, 1 }));
        Assert.That(answer.Buffer[3] & 15, Is.Zero);
    }

    [Test]
    public void Start_address_off_loopback_is_refused() => Assert.That(
        () => TestDnsServer.Start(new IPEndPoint(IPAddress.Any, 0), new TestZone(IPAddress.Loopback)), Throws.ArgumentException);
}
