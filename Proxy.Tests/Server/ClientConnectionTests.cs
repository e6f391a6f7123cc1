using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Server;

public sealed class ClientConnectionTests
{
    /// <summary>A stop that cuts what is left must not fail over a connection that ended between its list and its cut.</summary>
    [Test, CancelAfter(30_000)]
    public async Task Abort_of_a_connection_that_has_ended_does_nothing([Values] bool hadTunnel, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        var stream = await proxy.ConnectAsync();
        if (hadTunnel)
            Assert.That((await SocksClient.RequestAsync(stream, "a.test", 80, token))[1], Is.Zero);
        else
            await SocksClient.GreetAsync(stream, null, null, token);
        var connection = proxy.Server.Connections.All.Single();

        await stream.DisposeAsync();
        await proxy.Server.Connections.WhenEmptyAsync().WaitAsync(token);

        Assert.That(() => connection.Abort(TunnelEnd.Drained), Throws.Nothing);
    }

    [Test, CancelAfter(30_000)]
    public async Task What_a_client_wrote_into_a_refused_user_name_is_not_in_the_log(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync();
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync((byte[])[5, 1, 2, .. SocksClient.Auth("session-a-\r\nERROR all is lost-1", "")], token);
        await SocksClient.ReadToEndAsync(client, token);
        Assert.That(
            proxy.Log.Entries.Select(static entry => entry.Message),
            Has.Some.Contains("was refused: ").And.None.Contains("all is lost").And.None.Contains("\n").And.None.Contains("\r"));
    }

    [Test, CancelAfter(30_000)]
    public async Task An_upgraded_connection_counts_its_bytes_for_its_worker(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        worker.OnStream = async (stream, _, stop) =>
        {
            await SocksClient.ReadAsync(stream, 1, stop);
            await stream.WriteAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"u8.ToArray(), stop);
            await FakeTorWorker.EchoAsync(stream, null!, stop);
        };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync("GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"u8.ToArray(), token);
        await SocksClient.ReadAsync(client, 4, token);
        await client.WriteAsync(new byte[10_000], token);
        client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        await SocksClient.ReadToEndAsync(client, token);
        await proxy.Log.WaitForAsync("access", 1, token);
        Assert.That(proxy.Pool.Snapshot.All[0].BytesSent, Is.GreaterThanOrEqualTo(10_000));
        Assert.That(proxy.Pool.Snapshot.All[0].BytesReceived, Is.GreaterThanOrEqualTo(10_000));
    }
}
