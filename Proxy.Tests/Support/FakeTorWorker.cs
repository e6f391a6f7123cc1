using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Tests.Support;

/// <summary>What a fake worker was asked.</summary>
internal sealed record FakeWorkerRequest(byte Command, string Host, int Port, string? User, string? Password);

/// <summary>What a fake worker does with a connection instead of answering its greeting.</summary>
internal enum GreetingFault
{
    None,
    Close,
    Reset,

    /// <summary>Until <see cref="FakeTorWorker.GreetLate"/>, if ever; then as without a fault.</summary>
    Silence,
}

/// <summary>
/// A scripted SOCKS5 server in tor's place, for failures that tor does not produce on demand. By default it answers
/// every CONNECT with success and echoes.
/// </summary>
internal sealed class FakeTorWorker : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly TaskCompletionSource _late = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly Task _loop;
    private readonly string? _path;

    public FakeTorWorker(string? unixPath = null)
    {
        _path = unixPath;
        if (unixPath is null)
        {
            _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        }
        else
        {
            _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            _listener.Bind(new UnixDomainSocketEndPoint(unixPath));
        }

        _listener.Listen(512);
        _loop = AcceptAsync();
    }

    public EndPoint EndPoint => _path is null ? _listener.LocalEndPoint! : new UnixDomainSocketEndPoint(_path);

    public ConcurrentQueue<FakeWorkerRequest> Requests { get; } = new();

    public int Accepted => _accepted;

    /// <summary>Connections that neither side has ended.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>The port that the latest connection came from.</summary>
    public int LastPeerPort { get; private set; }

    /// <summary>The REP byte for a request; 0 opens the stream.</summary>
    public Func<FakeWorkerRequest, byte> Reply { get; set; } = static _ => 0;

    /// <summary>The address in a success reply; null: 0.0.0.0:0.</summary>
    public Func<FakeWorkerRequest, IPAddress?> ReplyAddress { get; set; } = static _ => null;

    /// <summary>Runs on an open stream.</summary>
    public Func<NetworkStream, FakeWorkerRequest, CancellationToken, Task> OnStream { get; set; } = EchoAsync;

    /// <summary>Accepts and never says a word, as a stopped process does.</summary>
    public bool Silent { get; set; }

    /// <summary>Closes right after accepting.</summary>
    public bool CloseAtOnce { get; set; }

    /// <summary>What it does when the greeting comes over its nth connection, the first being 1.</summary>
    public Func<int, GreetingFault> FaultOf { get; set; } = static _ => GreetingFault.None;

    /// <summary>Ends every <see cref="GreetingFault.Silence"/>.</summary>
    public void GreetLate() => _late.TrySetResult();

    /// <summary>Refuses the user and password.</summary>
    public bool RejectAuth { get; set; }

    /// <summary>Leaves the method reply out, as tor does when greeting and user/password come in one segment.</summary>
    public bool SkipMethodReply { get; set; }

    /// <summary>Takes what one read brings for one message, as simple servers do: what came behind it is lost.</summary>
    public bool ReadsOneMessageAtATime { get; set; }

    /// <summary>Answers the greeting and then holds the reply until this completes.</summary>
    public Task ReplyGate { get; set; } = Task.CompletedTask;

    /// <summary>Bytes sent together with the success reply, as a target's banner may be.</summary>
    public byte[] Banner { get; set; } = [];

    /// <summary>Writes every reply one byte at a time.</summary>
    public bool Dribble { get; set; }

    private int _accepted;
    private int _open;

    public static async Task EchoAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        var buffer = new byte[16 * 1024];
        int count;
        while ((count = await stream.ReadAsync(buffer, token)) > 0)
            await stream.WriteAsync(buffer.AsMemory(0, count), token);
        stream.Socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Closes every connection, as a worker that restarts does, and goes on listening.</summary>
    public void CloseAll()
    {
        foreach (var socket in _sockets)
            socket.Dispose();
    }

    /// <summary>Refuses new connections from now on; those that it has go on.</summary>
    public void StopListening() => _listener.Dispose();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        CloseAll();
        await _loop;
        await Task.WhenAll(_connections);
        if (_path is not null)
            File.Delete(_path);
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var socket = await _listener.AcceptAsync(_stop.Token);
                LastPeerPort = (socket.RemoteEndPoint as IPEndPoint)?.Port ?? 0;
                Interlocked.Increment(ref _open);
                int number = Interlocked.Increment(ref _accepted);
                _sockets.Add(socket);
                _connections.Add(ServeAsync(socket, number));
            }
            catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket, int number)
    {
        try
        {
            using (socket)
            {
                await using var stream = new NetworkStream(socket, false);
                await ServeAsync(stream, number);
            }
        }
        catch (Exception failure) when (
            failure is IOException or OperationCanceledException or ObjectDisposedException or EndOfStreamException or SocketException)
        {
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private async Task ServeAsync(NetworkStream stream, int number)
    {
        if (CloseAtOnce)
            return;
        if (Silent)
            await Task.Delay(Timeout.Infinite, _stop.Token);

        if (ReadsOneMessageAtATime)
            stream = new OneReadOneMessage(stream.Socket);
        var greeting = await ReadAsync(stream, 2);
        var fault = FaultOf(number);
        if (fault == GreetingFault.Silence)
            await _late.Task.WaitAsync(_stop.Token);
        if (fault == GreetingFault.Reset)
            stream.Socket.LingerState = new LingerOption(true, 0);
        if (fault is GreetingFault.Close or GreetingFault.Reset)
            return;
        var methods = await ReadAsync(stream, greeting[1]);
        (stream as OneReadOneMessage)?.DropRest();
        string? user = null, password = null;
        if (methods.Contains((byte)2))
        {
            if (!SkipMethodReply)
                await WriteAsync(stream, [5, 2]);
            var head = await ReadAsync(stream, 2);
            user = Encoding.Latin1.GetString(await ReadAsync(stream, head[1]));
            password = Encoding.Latin1.GetString(await ReadAsync(stream, (await ReadAsync(stream, 1))[0]));
            (stream as OneReadOneMessage)?.DropRest();
            await WriteAsync(stream, [1, (byte)(RejectAuth ? 1 : 0)]);
            if (RejectAuth)
            {
                // The request came with the password: closing before it is read would send RST, which may overtake the answer.
                stream.Socket.Shutdown(SocketShutdown.Send);
                while (await stream.ReadAsync(new byte[512], _stop.Token) > 0)
                {
                }

                return;
            }
        }
        else
        {
            await WriteAsync(stream, [5, 0]);
        }

        var request = await ReadRequestAsync(stream, user, password);
        Requests.Enqueue(request);
        await ReplyGate.WaitAsync(_stop.Token);
        byte code = Reply(request);
        byte[] address = (ReplyAddress(request) ?? IPAddress.Any).GetAddressBytes();
        byte[] reply = [5, code, 0, (byte)(address.Length == 4 ? 1 : 4), .. address, 0, 0, .. code == 0 ? Banner : []];
        await WriteAsync(stream, reply);
        if (code == 0 && request.Command == 1)
            await OnStream(stream, request, _stop.Token);
    }

    private async Task<FakeWorkerRequest> ReadRequestAsync(NetworkStream stream, string? user, string? password)
    {
        var head = await ReadAsync(stream, 4);
        string host = head[3] switch
        {
            1 => new IPAddress(await ReadAsync(stream, 4)).ToString(),
            4 => new IPAddress(await ReadAsync(stream, 16)).ToString(),
            _ => Encoding.Latin1.GetString(await ReadAsync(stream, (await ReadAsync(stream, 1))[0])),
        };
        var port = await ReadAsync(stream, 2);
        return new FakeWorkerRequest(head[1], host, (port[0] << 8) | port[1], user, password);
    }

    private async Task<byte[]> ReadAsync(NetworkStream stream, int count)
    {
        var buffer = new byte[count];
        await stream.ReadExactlyAsync(buffer, _stop.Token);
        return buffer;
    }

    private async Task WriteAsync(NetworkStream stream, byte[] data)
    {
        if (!Dribble)
        {
            await stream.WriteAsync(data, _stop.Token);
            return;
        }

        stream.Socket.NoDelay = true;
        foreach (byte b in data)
        {
            await stream.WriteAsync(new[] { b }, _stop.Token);
            await Task.Yield();
        }
    }

    /// <summary>Reads as much as there is, gives it out piece by piece, and forgets the rest when told.</summary>
    private sealed class OneReadOneMessage(Socket socket) : NetworkStream(socket, false)
    {
        private readonly byte[] _buffer = new byte[1024];
        private int _at, _end;

        public void DropRest() => _at = _end;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_at == _end)
                (_at, _end) = (0, await base.ReadAsync(_buffer, cancellationToken));
            int count = Math.Min(buffer.Length, _end - _at);
            _buffer.AsSpan(_at, count).CopyTo(buffer.Span);
            _at += count;
            return count;
        }
    }
}
