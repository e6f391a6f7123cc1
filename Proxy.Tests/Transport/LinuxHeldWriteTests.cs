using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

/// <summary>Short messages that leave together behind what has come in together (<see cref="TransportConnection.TryWriteSoon"/>).</summary>
public sealed class LinuxHeldWriteTests
{
    private SemaphoreSlim _waits = null!, _mayGoOn = null!;
    private LinuxTransport _transport = null!;
    private ITransportListener _listener = null!;
    private Socket _first = null!, _second = null!;

    [SetUp]
    public void SetUp()
    {
        (_waits, _mayGoOn) = (new SemaphoreSlim(0), new SemaphoreSlim(0));
        _transport = new LinuxTransport(new EventLoops(1), default);
        _listener = _transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(8, null));
        _first = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 4096 };
        _second = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    }

    [TearDown]
    public async Task TearDown()
    {
        _first.Dispose();
        _second.Dispose();
        await _listener.DisposeAsync();
        _transport.Dispose();
        _waits.Dispose();
        _mayGoOn.Dispose();
    }

    [Test, CancelAfter(30_000)]
    public async Task Nothing_goes_past_a_message_that_is_held_back(CancellationToken token)
    {
        await InOneRoundAsync(
            async connection =>
            {
                Assert.That(connection.TryWriteSoon("1"u8));
                Assert.That(_first.Available, Is.Zero, "it has not left yet");
                await connection.WriteAsync("2"u8.ToArray(), token);
                Assert.That(connection.TryWriteSoon("3"u8));
                await connection.DisposeAsync();
            },
            token);
        Assert.That(await ReadAllAsync(token), Is.EqualTo("123"u8.ToArray()));
    }

    [Test, CancelAfter(30_000)]
    public async Task A_lone_message_is_not_held_back(CancellationToken token)
    {
        var held = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var serving = ServeAsync(
            connection =>
            {
                held.SetResult(connection.TryWriteSoon("1"u8));
                return ValueTask.CompletedTask;
            },
            rounds: 1, token);
        await ConnectAsync(token);
        await _waits.WaitAsync(token);
        _mayGoOn.Release();
        await _first.SendAsync(new byte[1], SocketFlags.None, token);
        Assert.That(await held.Task.WaitAsync(token), Is.False);
        await _second.SendAsync(new byte[1], SocketFlags.None, token);
        await serving;
    }

    /// <summary>The kernel tells of a reset once: a read must not take what follows for an end like any other.</summary>
    [Test, CancelAfter(30_000)]
    public async Task A_reset_that_a_held_message_has_heard_of_is_told_by_the_next_read(CancellationToken token)
    {
        Exception? told = null;
        await InOneRoundAsync(
            async connection =>
            {
                Assert.That(connection.TryWriteSoon("1"u8));

                // On the loop's thread: it sends when this waits.
                _first.LingerState = new LingerOption(enable: true, seconds: 0);
                _first.Dispose();
                try
                {
                    await connection.Input.ReadAsync(token);
                }
                catch (IOException failure)
                {
                    told = failure.InnerException;
                }
            },
            token);
        Assert.That((told as SocketException)?.SocketErrorCode, Is.EqualTo(SocketError.ConnectionReset));
    }

    [Test, CancelAfter(30_000)]
    public async Task What_finds_no_room_is_sent_when_there_is_some_before_what_is_written_behind_it(CancellationToken token)
    {
        byte[] message = new byte[8 * 1024];
        long expected = 0;
        var full = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var serving = ServeAsync(
            async connection =>
            {
                for (int i = 0; i < message.Length; i++)
                    message[i] = (byte)((expected + i) % 251);
                expected += message.Length;
                if (connection.TryWriteSoon(message))
                    return;
                full.SetResult();
                await connection.WriteAsync(message, token);
                await connection.DisposeAsync();
            },
            rounds: 4096, token, until: () => full.Task.IsCompleted);
        await ConnectAsync(token);
        for (var turn = _waits.WaitAsync(token); await Task.WhenAny(turn, full.Task) == turn; turn = _waits.WaitAsync(token))
        {
            await _first.SendAsync(new byte[1], SocketFlags.None, token);
            await _second.SendAsync(new byte[1], SocketFlags.None, token);
            _mayGoOn.Release();
        }

        byte[] all = await ReadAllAsync(token);
        await serving;
        Assert.That(all, Has.Length.EqualTo(expected));
        Assert.That(all.Select(static (value, at) => value == (byte)(at % 251)), Has.All.True);
    }

    private async Task InOneRoundAsync(Func<TransportConnection, ValueTask> act, CancellationToken token)
    {
        var serving = ServeAsync(act, rounds: 1, token);
        await ConnectAsync(token);
        await _waits.WaitAsync(token);
        await _first.SendAsync(new byte[1], SocketFlags.None, token);
        await _second.SendAsync(new byte[1], SocketFlags.None, token);
        _mayGoOn.Release();
        await serving;
    }

    private async Task ConnectAsync(CancellationToken token)
    {
        await _first.ConnectAsync(_listener.LocalEndPoint, token);
        await _second.ConnectAsync(_listener.LocalEndPoint, token);
    }

    /// <summary>
    /// On the loop, each round: waits for both clients, stands still until they may have sent, and acts on the first one's connection when
    /// its byte has come.
    /// </summary>
    private async Task ServeAsync(
        Func<TransportConnection, ValueTask> act, int rounds, CancellationToken token, Func<bool>? until = null)
    {
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var accepting = _listener.RunAsync(RunAsync);
        await over.Task.WaitAsync(token);
        await _listener.DisposeAsync();
        await accepting;

        async Task RunAsync()
        {
            try
            {
                await using var first = (await _listener.AcceptAsync(token))!;
                await using var second = (await _listener.AcceptAsync(token))!;
                for (int i = 0; i < rounds && until?.Invoke() != true; i++)
                {
                    var (one, other) = (first.Input.ReadAsync(token).AsTask(), second.Input.ReadAsync(token).AsTask());
                    _waits.Release();
                    _mayGoOn.Wait(token);
                    var read = await one;
                    first.Input.AdvanceTo(read.Buffer.End);
                    await act(first);
                    read = await other;
                    second.Input.AdvanceTo(read.Buffer.End);
                }

                over.SetResult();
            }
            catch (Exception failure)
            {
                over.TrySetException(failure);
            }
        }
    }

    private async Task<byte[]> ReadAllAsync(CancellationToken token)
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        for (int count; (count = await _first.ReceiveAsync(buffer, SocketFlags.None, token)) > 0;)
            all.Write(buffer, 0, count);
        return all.ToArray();
    }
}
