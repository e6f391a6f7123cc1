using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

[CancelAfter(60_000)]
public sealed class LinuxListenerTests
{
    private readonly List<Exception> _faults = [];
    private readonly List<Socket> _clients = [];
    private LinuxTransport _transport = null!;
    private ITransportListener _listener = null!;

    [SetUp]
    public void Listen()
    {
        _faults.Clear();
        _transport = new LinuxTransport(1, default, _faults.Add);
        _listener = _transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(1024, null));
    }

    [TearDown]
    public async Task Close()
    {
        await _listener.DisposeAsync();
        _transport.Dispose();
        _clients.ForEach(static client => client.Dispose());
        _clients.Clear();
        Assert.That(_faults, Is.Empty);
    }

    [Test]
    public async Task Accepts_in_turns_while_other_descriptors_are_always_ready_and_never_stops(CancellationToken token)
    {
        var turns = await AcceptAsync(100, beside: 2, token);
        for (int i = 0; i < turns.Length; i++)
        {
            long waited = i == 0 ? long.MaxValue : turns[i].At - turns[i - 1].At;
            Assert.That(waited, Is.GreaterThanOrEqualTo(LinuxListener.LongestWait));
            long due = Math.Min(waited / LinuxListener.LongestWait, LinuxListener.LateTurns);
            Assert.That(turns[i].Count, Is.LessThanOrEqualTo(due * LinuxListener.AcceptsInATurn), $"after {waited} ms");
        }
    }

    [Test]
    public async Task Accepts_without_a_pause_when_nothing_else_is_ready(CancellationToken token)
    {
        var turns = await AcceptAsync(1000, beside: 0, token);
        Assert.That(turns.Zip(turns.Skip(1), static (one, next) => next.At - one.At), Has.Some.LessThan(LinuxListener.LongestWait));
    }

    [Test]
    public async Task Accept_that_waits_for_its_turn_can_be_cancelled_and_begun_anew(CancellationToken token)
    {
        const int clients = 300;
        await ConnectAsync(clients, token);
        int accepted = 0, cancelled = 0;
        await RunAsync(beside: 2, async _ =>
        {
            while (accepted < clients)
            {
                using var impatient = CancellationTokenSource.CreateLinkedTokenSource(token);
                var waiting = _listener.AcceptAsync(impatient.Token);
                if (!waiting.IsCompleted && cancelled < 3)
                    impatient.Cancel();
                try
                {
                    await using var connection = await waiting;
                    accepted++;
                }
                catch (OperationCanceledException) when (!token.IsCancellationRequested)
                {
                    cancelled++;
                }
            }
        });
        Assert.That(cancelled, Is.EqualTo(3));
    }

    [Test]
    public async Task Accept_that_waits_for_its_turn_ends_with_its_listener(CancellationToken token)
    {
        await ConnectAsync(100, token);
        Exception? end = null;
        var ending = Task.CompletedTask;
        await RunAsync(beside: 2, async _ =>
        {
            try
            {
                while (true)
                {
                    var waiting = _listener.AcceptAsync(token);
                    if (!waiting.IsCompleted)
                        ending = _listener.DisposeAsync().AsTask();
                    await using var connection = await waiting;
                }
            }
            catch (ObjectDisposedException failure)
            {
                end = failure;
            }
        });
        await ending;
        Assert.That(end, Is.Not.Null);
    }

    /// <summary>Accepts so many that wait already: when each turn was, and how many it took.</summary>
    private async Task<(long At, int Count)[]> AcceptAsync(int clients, int beside, CancellationToken token)
    {
        await ConnectAsync(clients, token);
        var accepted = new List<(long At, uint Round)>();
        await RunAsync(beside, async loop =>
        {
            while (accepted.Count < clients)
            {
                await using var connection = await _listener.AcceptAsync(token);
                accepted.Add((loop.Now, loop.Round));
            }
        });
        return [.. accepted.GroupBy(static one => one.Round).Select(static turn => (turn.First().At, turn.Count()))];
    }

    /// <summary>An accept loop beside so many descriptors that are always ready.</summary>
    private Task RunAsync(int beside, Func<EventLoop, Task> acceptLoop) => _listener.RunAsync(async () =>
    {
        var loop = EventLoop.Current!;
        var others = Enumerable.Range(0, beside).Select(_ => new AlwaysReady(loop)).ToArray();
        await acceptLoop(loop);
        Array.ForEach(others, static other => other.Stop());
    });

    private async Task ConnectAsync(int clients, CancellationToken token)
    {
        for (int i = 0; i < clients; i++)
        {
            var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _clients.Add(client);
            await client.ConnectAsync(_listener.LocalEndPoint, token);
        }
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
