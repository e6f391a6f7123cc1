using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

/// <summary>A peer whose bytes are all there already lets its loop's other connections have their turn.</summary>
public sealed class LinuxReadTurnTests
{
    /// <summary>More than a turn, and no more than the kernel takes before anybody reads.</summary>
    private const int Bytes = 3 * LinuxPipeReader.BytesInATurn;

    [Test, CancelAfter(30_000)]
    public async Task Reader_that_always_finds_more_goes_on_behind_others(CancellationToken token)
    {
        using var transport = new LinuxTransport(new EventLoops(1), default);
        await using var listener = transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(8, null));
        using var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await peer.ConnectAsync(listener.LocalEndPoint, token);
        for (int sent = 0; sent < Bytes;)
            sent += await peer.SendAsync(new byte[Bytes - sent], token);
        while (Delivery.Of(peer) is { IsComplete: false })
            await Task.Delay(5, token);
        await using var connection = await listener.AcceptAsync(token);

        long read = 0, readBeforeOthers = 0;
        var done = new TaskCompletionSource();
        connection.Schedule(new Work(() => _ = RunAsync()));
        await done.Task.WaitAsync(token);
        Assert.That(read, Is.EqualTo(Bytes));
        Assert.That(readBeforeOthers, Is.Positive.And.LessThan(Bytes));

        async Task RunAsync()
        {
            while (read < Bytes)
            {
                var result = await connection.Input.ReadAsync(token);
                if (read == 0)
                    connection.Defer(new Work(() => readBeforeOthers = read));
                read += result.Buffer.Length;
                connection.Input.AdvanceTo(result.Buffer.End);
            }

            // Behind those that came in between.
            connection.Defer(new Work(done.SetResult));
        }
    }

    private sealed class Work(Action action) : IThreadPoolWorkItem
    {
        public void Execute() => action();
    }
}
