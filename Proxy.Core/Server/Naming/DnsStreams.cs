using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Protocols.Dns;

namespace TorBalancer.Server.Naming;

/// <summary>
/// The name server over TCP (RFC 7766): for answers that no packet takes, and for clients that ask so. Messages have their length in
/// front. Places are few: when all are taken the connection that has been there for longest makes room.
/// </summary>
/// <param name="listening">Bound and listening; closed with this.</param>
/// <param name="stopping">Cancelled before this is disposed.</param>
internal sealed class DnsStreams(Socket listening, DnsResponder responder, TimeProvider time, CancellationToken stopping)
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
    private Task _accepting = Task.CompletedTask;

    public void Start() => _accepting = Task.Run(AcceptAsync);

    public async ValueTask DisposeAsync()
    {
        listening.Dispose();
        await _accepting;
        Task[] serving;
        lock (_lock)
        {
            serving = [.. _live.Select(static one => one.Serving)];
            foreach (var (socket, _) in _live)
                socket.Dispose();
        }

        await Task.WhenAll(serving);
    }

    private async Task AcceptAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var socket = await listening.AcceptAsync(stopping);
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
                await Task.Delay(Pause, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
                int length = await responder.AnswerAsync(message, client, answer.AsMemory(2), isPacket: false, stopping);
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

    /// <summary>A message; null: the client has ended, or sends what is none.</summary>
    private async Task<byte[]?> ReadAsync(Socket socket)
    {
        using var timer = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, stopping);
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
