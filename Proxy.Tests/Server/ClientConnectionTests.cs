using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Server;

public sealed class ClientConnectionTests
{
    /// <summary>A stop that cuts what is left must not fail over a connection that ended between its list and its cut.</summary>
    [Test, CancelAfter(30_000)]
    public async Task Abort_of_a_connection_that_has_ended_does_nothing(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        var stream = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(stream, "a.test", 80, token))[1], Is.Zero);
        var connection = proxy.Server.Connections.All.Single();

        await stream.DisposeAsync();
        await proxy.Server.Connections.WhenEmptyAsync().WaitAsync(token);
        await connection.DisposeAsync();

        Assert.That(() => connection.Abort(TunnelEnd.Drained), Throws.Nothing);
    }
}
