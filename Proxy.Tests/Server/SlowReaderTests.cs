using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server;

/// <summary>A client that does not take what it has asked for.</summary>
public sealed class SlowReaderTests
{
    /// <summary>Beyond what waits unsent there is what fills a pipe in one go, and what is on its way to the client.</summary>
    private const long Most = 1024 * 1024;

    [Test, CancelAfter(60_000)]
    public async Task What_waits_for_a_client_that_does_not_read_is_bounded(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { OnStream = FloodAsync };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], options => options.Engine.Transport = engine);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(proxy.Address, token);
        await using var stream = new NetworkStream(socket);
        Assert.That((await SocksClient.RequestAsync(stream, "flood.test", 80, token))[1], Is.Zero);
        var counters = proxy.Server.Connections.All[0].Context.Counters;

        // Until it has not moved for so long.
        long moved = -1;
        for (int still = 0; still < 20; still = counters.FromUpstream == moved ? still + 1 : 0)
        {
            moved = counters.FromUpstream;
            await Task.Delay(50, token);
        }

        Assert.That(moved, Is.Positive.And.LessThanOrEqualTo(Most));
    }

    private static async Task FloodAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        byte[] data = new byte[256 * 1024];
        while (true)
            await stream.WriteAsync(data, token);
    }
}
