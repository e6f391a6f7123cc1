using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Protocols.Dns;
using TorBalancer.Transport;

namespace TorBalancer.Server.Naming;

/// <summary>
/// The name server over TCP (RFC 7766): for answers that no packet takes, and for clients that ask so. Messages have their length in
/// front. Places are few: when all are taken the connection that has been there for longest makes room.
/// </summary>
/// <param name="listening">Bound and listening; closed with this.</param>
/// <param name="stopping">Cancelled before this is disposed.</param>
internal sealed class DnsStreams(SharableSocket listening, DnsResponder responder, TimeProvider time, CancellationToken stopping)
    : IAsyncDisposable
{
    /// <summary>Connections at one time.</summary>
    public const int Most = 64;

    /// <summary>How long a client may take for its next question, which it may send while it waits for an answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private const int LongestQuestion = 4096;

    private readonly Lock _lock = new();
    private readonly LinkedList<(Socket Socket, Task Serving)> _live = new();
    private readonly CancellationTokenSource _leaving = CancellationTokenSource.CreateLinkedTokenSource(stopping);

    // Taken while an answer is begun: nobody begins one any more when a pause has begun.
    private readonly Lock _beginning = new();
    private CancellationTokenSource? _pause;
    private TaskCompletionSource<bool>? _held;
    private Task _accepting = Task.CompletedTask;

    /// <summary>The listening socket, for another process to have as well.</summary>
    public Socket Listening => listening.Socket;

    /// <summary>From now on it accepts.</summary>
    public void Start()
    {
        _pause?.Dispose();
        _pause = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var token = _pause.Token;
        _accepting = Task.Run(() => AcceptAsync(token), CancellationToken.None);
    }

    /// <summary>Nobody is accepted and no answer is begun until <see cref="Resume"/>; those that are on their way go on.</summary>
    public async Task PauseAsync()
    {
        lock (_beginning)
            _held = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_pause is not null)
            await _pause.CancelAsync();
        await _accepting;
    }

    /// <summary>After <see cref="PauseAsync"/>: everything is as it was. Nothing happens without one.</summary>
    public void Resume()
    {
        TaskCompletionSource<bool>? held;
        lock (_beginning)
            (held, _held) = (_held, null);
        if (held is null)
            return;
        held.SetResult(true);
        Start();
    }

    /// <summary>
    /// After <see cref="PauseAsync"/>: the port is another process's from now on. Connections end with the answers that are on their way;
    /// who has asked more, or asks later, connects again.
    /// </summary>
    public void Leave()
    {
        listening.Share();
        lock (_beginning)
            _held?.SetResult(false);
        _leaving.Cancel();
    }

    /// <summary>Waits until the connections have ended that there are now.</summary>
    public Task DrainAsync()
    {
        lock (_lock)
            return Task.WhenAll(_live.Select(static one => one.Serving).ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        await _accepting;
        listening.Dispose();
        Task[] serving;
        lock (_lock)
        {
            serving = [.. _live.Select(static one => one.Serving)];
            foreach (var (socket, _) in _live)
                socket.Dispose();
        }

        await Task.WhenAll(serving);
        _pause?.Dispose();
        _leaving.Dispose();
    }

    private async Task AcceptAsync(CancellationToken paused)
    {
        while (!paused.IsCancellationRequested)
        {
            try
            {
                var socket = await listening.Socket.AcceptAsync(paused);
                var client = ((IPEndPoint)socket.RemoteEndPoint!).Address;
                if (client.IsIPv4MappedToIPv6)
                    client = client.MapToIPv4();
                if (responder.Admits(client))
                    Serve(socket, client);
                else
                    socket.Dispose();
            }
            catch (Exception failure) when (failure is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(Pause, time, paused).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Serve(Socket socket, IPAddress client)
    {
        lock (_lock)
        {
            if (_live.Count >= Most)
                _live.First!.Value.Socket.Dispose();
            var node = _live.AddLast((socket, Task.CompletedTask));
            node.Value = (socket, Task.Run(() => ServeAsync(node, client)));
        }
    }

    private async Task ServeAsync(LinkedListNode<(Socket Socket, Task Serving)> node, IPAddress client)
    {
        var socket = node.Value.Socket;
        try
        {
            while (await ReadAsync(socket) is { } message)
            {
                byte[] answer = new byte[2 + DnsAnswer.MaxLength];
                int length = await AnswerAsync(message, client, answer.AsMemory(2));
                if (length == 0)
                    return;
                BinaryPrimitives.WriteUInt16BigEndian(answer, (ushort)length);
                for (ReadOnlyMemory<byte> left = answer.AsMemory(0, 2 + length); !left.IsEmpty;)
                    left = left[await socket.SendAsync(left, SocketFlags.None, stopping)..];
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // It is gone, or too slow, or has made room for another; or we stop.
        }
        finally
        {
            socket.Dispose();
            lock (_lock)
                _live.Remove(node);
        }
    }

    /// <summary>The length of the answer, which waits for the end of a pause; 0: there is none.</summary>
    private async Task<int> AnswerAsync(byte[] message, IPAddress client, Memory<byte> answer)
    {
        while (true)
        {
            ValueTask<int> answering = default;
            Task<bool>? held;
            lock (_beginning)
            {
                held = _held?.Task;
                if (held is null)
                    answering = responder.AnswerAsync(message, client, answer, isPacket: false, stopping);
            }

            if (held is null)
                return await answering;
            if (!await held.WaitAsync(stopping))
                return 0;
        }
    }

    /// <summary>A message; null: the client has ended, or sends what is none.</summary>
    private async Task<byte[]?> ReadAsync(Socket socket)
    {
        using var timer = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, _leaving.Token);
        byte[] prefix = new byte[2];
        if (!await FillAsync(socket, prefix, either.Token))
            return null;
        int length = BinaryPrimitives.ReadUInt16BigEndian(prefix);
        if (length is 0 or > LongestQuestion)
            return null;
        byte[] message = new byte[length];
        return await FillAsync(socket, message, either.Token) ? message : null;
    }

    private static async ValueTask<bool> FillAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            int read = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
            if (read == 0)
                return false;
            buffer = buffer[read..];
        }

        return true;
    }
}
