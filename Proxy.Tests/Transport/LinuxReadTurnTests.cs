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

    /// <summary>A round of the loop is no longer for there being more of them.</summary>
    [Test, CancelAfter(30_000)]
    public async Task Readers_that_fill_their_buffers_share_what_is_read_in_a_round(CancellationToken token)
    {
        const int peers = 8;
        using var transport = new LinuxTransport(new EventLoops(1), default);
        await using var listener = transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(peers, null));
        var sockets = new List<Socket>();
        var connections = new List<LinuxConnection>();
        var rounds = new Dictionary<uint, int>();
        var done = new CountdownEvent(peers);
        using var isHeld = new ManualResetEventSlim();
        using var goesOn = new ManualResetEventSlim();
        try
        {
            for (int i = 0; i < peers; i++)
            {
                sockets.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                await sockets[i].ConnectAsync(listener.LocalEndPoint, token);
                var connection = (LinuxConnection)await listener.AcceptAsync(token);
                connections.Add(connection);
                connection.Schedule(new Work(() => _ = RunAsync(connection)));
            }

            // The loop looks for events when everything has arrived: it hears of all peers in one round.
            connections[0].Defer(new Work(() =>
            {
                isHeld.Set();
                goesOn.Wait(token);
            }));
            isHeld.Wait(token);
            foreach (var socket in sockets)
            {
                for (int sent = 0; sent < Bytes;)
                    sent += await socket.SendAsync(new byte[Bytes - sent], token);
                while (Delivery.Of(socket) is { IsComplete: false })
                    await Task.Delay(5, token);
            }

            goesOn.Set();
            done.Wait(token);

            // The first read of each shows that it fills its buffer; of what follows, one goes beyond the share, and one has its turn.
            Assert.That(rounds.Values.Max(), Is.LessThanOrEqualTo((peers * 4096) + (4 * LinuxPipeReader.BytesInATurn)));
            Assert.That(rounds.Values.Sum(), Is.EqualTo(peers * Bytes));
        }
        finally
        {
            goesOn.Set();
            sockets.ForEach(static socket => socket.Dispose());
            foreach (var connection in connections)
                await connection.DisposeAsync();
        }

        async Task RunAsync(LinuxConnection connection)
        {
            for (int read = 0; read < Bytes;)
            {
                var result = await connection.Input.ReadAsync(token);
                int count = (int)result.Buffer.Length;
                read += count;
                rounds[connection.Loop.Round] = rounds.GetValueOrDefault(connection.Loop.Round) + count;
                connection.Input.AdvanceTo(result.Buffer.End);
            }

            done.Signal();
        }
    }

    private sealed class Work(Action action) : IThreadPoolWorkItem
    {
        public void Execute() => action();
    }
}
