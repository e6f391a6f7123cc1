using System.Net.Sockets;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Tests.Protocols;

[CancelAfter(30_000)]
public class LingeringCloseTests
{
    private readonly ManualTimeProvider _clock = new();
    private LingeringClose _closes = null!;

    [SetUp]
    public void Create() => _closes = new LingeringClose(_clock);

    [Test]
    public async Task FinishAsync_ends_when_the_peer_has_finished(CancellationToken token)
    {
        var (peer, connection) = await PairAsync();
        using var _ = peer;
        await using var __ = connection;
        var closing = _closes.FinishAsync(connection, default, token).AsTask();
        await peer.SendAsync(new byte[3_000_000], SocketFlags.None, token);
        Assert.That(await peer.ReceiveAsync(new byte[1], token), Is.Zero, "FIN");
        Assert.That((closing.IsCompleted, _closes.Count), Is.EqualTo((false, 1)));
        peer.Shutdown(SocketShutdown.Send);
        await closing.WaitAsync(token);
        Assert.That(_closes.Count, Is.Zero);
    }

    [Test]
    public async Task FinishAsync_ends_when_the_peer_is_silent_and_not_before(CancellationToken token)
    {
        var (peer, connection) = await PairAsync();
        using var _ = peer;
        await using var __ = connection;
        var closing = _closes.FinishAsync(connection, default, token).AsTask();
        await TickAsync(LingeringClose.Silence, token, during: () => peer.Send([1]));
        Assert.That(closing.IsCompleted, Is.False, "it sent something meanwhile");
        await TickAsync(LingeringClose.Silence, token);
        await closing.WaitAsync(token);
    }

    [Test]
    public async Task FinishAsync_ends_when_the_peer_sends_for_longer_than_it_may(CancellationToken token)
    {
        long started = _clock.GetTimestamp();
        var (peer, connection) = await PairAsync();
        using var _ = peer;
        await using var __ = connection;
        var closing = _closes.FinishAsync(connection, default, token).AsTask();

        // The FIN's own acknowledgement may be the last that it took.
        for (var passed = LingeringClose.Silence; passed < LingeringClose.Patience; passed += LingeringClose.Silence)
            await TickAsync(LingeringClose.Silence, token, during: () => peer.Send([1]));
        Assert.That(closing.IsCompleted, Is.False);
        while (!closing.IsCompleted)
        {
            peer.Send([1]);
            await Task.Delay(50, token);
            _clock.Advance(LingeringClose.Silence);
        }

        Assert.That(_clock.GetElapsedTime(started), Is.LessThanOrEqualTo(LingeringClose.Patience + (2 * LingeringClose.Silence)));
    }

    /// <summary>What it was sent is still ours to deliver: a silence is none.</summary>
    [Test]
    public async Task BeforeResetAsync_waits_for_a_peer_that_has_yet_to_take_what_it_was_sent(CancellationToken token)
    {
        var (peer, connection) = await PairAsync();
        using var _ = peer;
        await using var __ = connection;
        connection.Socket.Blocking = false;
        int sent = 0;
        for (int refused = 0; refused < 20;)
        {
            int count = connection.Socket.Send(new byte[64 * 1024], SocketFlags.None, out var error);
            sent += error == SocketError.Success ? count : 0;
            refused = error == SocketError.Success ? 0 : refused + 1;
            if (refused > 0)
                await Task.Delay(5, token);
        }

        var closing = _closes.BeforeResetAsync(connection, default, token).AsTask();
        for (int silence = 0; silence < 5; silence++)
            await TickAsync(LingeringClose.SilenceBeforeReset, token);
        while (_clock.UntilNextTimer != LingeringClose.SilenceBeforeReset)
            await Task.Delay(1, token);
        Assert.That(closing.IsCompleted, Is.False);

        var buffer = new byte[1024 * 1024];
        while (sent > 0)
            sent -= await peer.ReceiveAsync(buffer, SocketFlags.None, token);
        while (connection.Delivery is not { IsComplete: true })
            await Task.Delay(1, token);
        await TickAsync(LingeringClose.SilenceBeforeReset, token);
        await closing.WaitAsync(token);
    }

    [Test]
    public async Task FinishAsync_is_short_when_the_daemon_stops(CancellationToken token)
    {
        var (peer, connection) = await PairAsync();
        using var _ = peer;
        await using var __ = connection;
        using var stopping = new CancellationTokenSource();
        var closing = _closes.FinishAsync(connection, stopping.Token, token).AsTask();
        await stopping.CancelAsync();
        await TickAsync(LingeringClose.WhenStopping, token);
        await closing.WaitAsync(token);
    }

    [Test]
    public async Task FinishAsync_beyond_the_limit_ends_the_one_that_waits_longest(CancellationToken token)
    {
        int crowded = 0;
        _closes = new LingeringClose(_clock, () => crowded++);
        using var over = new CancellationTokenSource();
        var (peer, connection) = await PairAsync();
        using var _ = peer;
        await using var __ = connection;
        var waiting = Enumerable.Range(0, LingeringClose.MostAtATime)
            .Select(_ => _closes.FinishAsync(new SilentConnection(), default, over.Token).AsTask())
            .ToList();
        Assert.That((_closes.Count, crowded), Is.EqualTo((LingeringClose.MostAtATime, 0)));
        var newest = _closes.FinishAsync(connection, default, token).AsTask();
        await waiting[0].WaitAsync(token);
        Assert.That((_closes.Count, crowded, newest.IsCompleted), Is.EqualTo((LingeringClose.MostAtATime, 1, false)));
        Assert.That(waiting.Count(static wait => wait.IsCompleted), Is.EqualTo(1));
        peer.Shutdown(SocketShutdown.Send);
        await newest.WaitAsync(token);
        await over.CancelAsync();
        await Task.WhenAll(waiting);
        Assert.That(_closes.Count, Is.Zero);
    }

    [Test]
    public void FinishAsync_gives_its_place_back_when_something_fails()
    {
        Assert.That(
            async () => await _closes.FinishAsync(new SilentConnection { Fails = true }, default, default),
            Throws.InvalidOperationException);
        Assert.That(_closes.Count, Is.Zero);
    }

    private static async Task<(Socket Peer, SocketConnection Connection)> PairAsync()
    {
        var (near, far) = await TestSocketConnection.ConnectPairAsync();
        near.ReceiveBufferSize = 64 * 1024;
        return (near, new SocketConnection(far));
    }

    /// <summary>Lets that time pass once it is waited for.</summary>
    private async Task TickAsync(TimeSpan span, CancellationToken token, Action? during = null)
    {
        while (_clock.UntilNextTimer != span)
            await Task.Delay(1, token);
        if (during is not null)
        {
            during();

            // Until it was taken.
            await Task.Delay(50, token);
        }

        _clock.Advance(span);
    }

    private sealed class SilentConnection : TorBalancer.Transport.TransportConnection
    {
        private readonly System.IO.Pipelines.Pipe _pipe = new();

        public override System.Net.EndPoint? LocalEndPoint => null;

        public override System.Net.IPAddress? RemoteAddress => null;

        /// <summary>By a fault of ours.</summary>
        public bool Fails { get; init; }

        public override System.IO.Pipelines.PipeReader Input => Fails ? throw new InvalidOperationException() : _pipe.Reader;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default) =>
            ValueTask.CompletedTask;

        public override bool TryClaim() => false;

        public override void Schedule(IThreadPoolWorkItem work)
        {
        }

        public override void ShutdownSend()
        {
        }

        public override void Abort()
        {
        }

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
