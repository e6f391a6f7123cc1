using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Testnet.Distance;
using TorBalancer.Testnet.Origin;

namespace TorBalancer.Tests.Testnet.Distance;

public sealed class LatencyForwarderTests
{
    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(60);

    [Test]
    [CancelAfter(20_000)]
    public async Task Each_chunk_comes_after_the_latency_and_no_later_for_those_before_it(CancellationToken cancellationToken)
    {
        await using var echo = LoopbackServer.Start([new IPEndPoint(IPAddress.Loopback, 0)], EchoHandler.RunAsync);
        await using var far = LatencyForwarder.Start(
            new IPEndPoint(IPAddress.Loopback, 0), echo.LocalEndPoints[0], Latency, TimeProvider.System);
        using var client = await ConnectAsync(far.LocalEndPoints[0], cancellationToken);

        // Ten messages that follow each other quicker than any of them arrives: in a chain of waits the last would need 600 ms and more.
        long began = Stopwatch.GetTimestamp();
        for (byte i = 0; i < 10; i++)
        {
            await client.SendAsync(new[] { i }, cancellationToken);
            await Task.Delay(2, cancellationToken);
        }

        byte[] received = new byte[10];
        await ReadAsync(client, received.AsMemory(0, 1), cancellationToken);
        var first = Stopwatch.GetElapsedTime(began);
        await ReadAsync(client, received.AsMemory(1), cancellationToken);
        var last = Stopwatch.GetElapsedTime(began);

        Assert.That(received, Is.EqualTo(Enumerable.Range(0, 10)));
        Assert.That(first, Is.GreaterThanOrEqualTo(2 * Latency));
        Assert.That(last, Is.GreaterThanOrEqualTo(2 * Latency).And.LessThan(5 * Latency));
    }

    [Test]
    [CancelAfter(20_000)]
    public async Task End_of_one_direction_leaves_the_other_open(CancellationToken cancellationToken)
    {
        await using var counting = LoopbackServer.Start([new IPEndPoint(IPAddress.Loopback, 0)], CountAsync);
        await using var far = LatencyForwarder.Start(
            new IPEndPoint(IPAddress.Loopback, 0), counting.LocalEndPoints[0], Latency, TimeProvider.System);
        using var client = await ConnectAsync(far.LocalEndPoints[0], cancellationToken);
        await client.SendAsync(new byte[1_000_000], cancellationToken);
        client.Shutdown(SocketShutdown.Send);

        byte[] total = new byte[4];
        await ReadAsync(client, total, cancellationToken);

        Assert.That(BitConverter.ToInt32(total), Is.EqualTo(1_000_000));
        Assert.That(await client.ReceiveAsync(total, cancellationToken), Is.Zero);
    }

    [Test]
    [CancelAfter(20_000)]
    public async Task Relay_that_is_gone_takes_the_connection_with_it(CancellationToken cancellationToken)
    {
        await using var rude = LoopbackServer.Start(
            [new IPEndPoint(IPAddress.Loopback, 0)],
            static (socket, _) =>
            {
                socket.LingerState = new LingerOption(true, 0);
                return Task.CompletedTask;
            });
        await using var far = LatencyForwarder.Start(
            new IPEndPoint(IPAddress.Loopback, 0), rude.LocalEndPoints[0], Latency, TimeProvider.System);
        using var client = await ConnectAsync(far.LocalEndPoints[0], cancellationToken);

        // Nothing is sent: only the reset tells, and the idle direction must not hold the connection.
        Assert.That(await EndAsync(client, cancellationToken), Is.True);
    }

    private static async Task<bool> EndAsync(Socket client, CancellationToken cancellationToken)
    {
        try
        {
            return await client.ReceiveAsync(new byte[1], cancellationToken) == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private static async Task CountAsync(Socket socket, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[65_536];
        int total = 0;
        while (await socket.ReceiveAsync(buffer, cancellationToken) is > 0 and var length)
            total += length;
        await socket.SendAsync(BitConverter.GetBytes(total), cancellationToken);
    }

    private static async Task<Socket> ConnectAsync(IPEndPoint to, CancellationToken cancellationToken)
    {
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(to, cancellationToken);
        return socket;
    }

    private static async Task ReadAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int length = await socket.ReceiveAsync(buffer, cancellationToken);
            Assert.That(length, Is.Positive);
            buffer = buffer[length..];
        }
    }
}
