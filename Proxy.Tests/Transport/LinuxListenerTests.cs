using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

[CancelAfter(60_000)]
public sealed class LinuxListenerTests
{
    private const int Clients = 100, InATurn = 16, LongestWait = 4;

    [Test]
    public async Task Accepts_in_turns_while_other_descriptors_are_always_ready_and_never_stops(CancellationToken token)
    {
        var faults = new List<Exception>();
        using var transport = new LinuxTransport(1, default, faults.Add);
        await using var listener = transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(Clients, null));
        var clients = new List<Socket>();
        for (int i = 0; i < Clients; i++)
        {
            clients.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            await clients[i].ConnectAsync(listener.LocalEndPoint, token);
        }

        var accepted = new List<(long At, uint Round, TransportConnection Connection)>();
        await listener.RunAsync(async () =>
        {
            var loop = EventLoop.Current!;
            AlwaysReady[] others = [new(loop), new(loop)];
            while (accepted.Count < Clients)
            {
                var connection = await listener.AcceptAsync(token);
                accepted.Add((loop.Now, loop.Round, connection));
            }

            Array.ForEach(others, static other => other.Stop());
        });

        foreach (var (_, _, connection) in accepted)
            await connection.DisposeAsync();
        clients.ForEach(static client => client.Dispose());
        var turns = accepted.GroupBy(static one => one.Round).Select(static turn => (Count: turn.Count(), turn.First().At)).ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(faults, Is.Empty);
            Assert.That(turns.Select(static turn => turn.Count), Is.All.LessThanOrEqualTo(InATurn));
            Assert.That(turns.Zip(turns.Skip(1), static (one, next) => next.At - one.At), Is.All.GreaterThanOrEqualTo(LongestWait));
        });
    }

    /// <summary>Has something to tell in every round.</summary>
    private sealed class AlwaysReady : IEventSink
    {
        private readonly EventLoop _loop;
        private readonly int _fd = Libc.EventFd(0, Libc.OpenNonBlock | Libc.OpenCloExec);

        public AlwaysReady(EventLoop loop)
        {
            _loop = loop;
            Assert.That(loop.Add(_fd, this, Libc.EpollOut), Is.Zero);
        }

        public void OnEvents(uint events) => _loop.Modify(_fd, Libc.EpollOut);

        public void Stop()
        {
            _loop.Forget(_fd);
            Libc.Close(_fd);
        }
    }
}
