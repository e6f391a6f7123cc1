using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using TorBalancer.Interop;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;
using TorBalancer.Transport;

namespace TorBalancer.TorControl;

/// <summary>
/// An authenticated connection to a tor's control port. Commands may be sent from anywhere at any time: they go out one
/// by one and tor answers in that order, so replies are matched by a queue. One task reads; it hands events to
/// <see cref="Subscribe">subscriptions</see> without ever waiting for them.
/// </summary>
/// <remarks>
/// A command that timed out or was cancelled leaves its place in the queue, and its late reply is thrown away. When the
/// connection ends, for whatever reason, every waiting command fails with a <see cref="ControlConnectionException"/> that
/// says why, and every subscription completes.
/// </remarks>
internal sealed partial class ControlConnection : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly ControlConnectionOptions _options;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly string _name;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly Lock _lock = new();
    private readonly Queue<TaskCompletionSource<ControlReply>> _waiting = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;
    private ControlSubscription[] _subscriptions = [];
    private Exception? _ended;
    private int _disposed;

    private ControlConnection(Socket socket, string name, ControlConnectionOptions options, ILogger logger, TimeProvider time)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _name = name;
        _options = options;
        _logger = logger;
        _time = time;
        _reading = ReadAsync();
    }

    /// <summary>What tor said before it let us in.</summary>
    public ControlProtocolInfo Info { get; private set; } = new([], null, "");

    /// <summary>Completes, without a fault, when the connection has ended; see <see cref="EndReason"/>.</summary>
    public Task Closed => _reading;

    /// <summary>Why it ended; null while it is open.</summary>
    public Exception? EndReason => Volatile.Read(ref _ended);

    /// <summary>
    /// Connects and authenticates. Throws <see cref="ControlConnectionException"/> (not reachable, ended, or no answer in
    /// time), <see cref="ControlAuthenticationException"/> (not let in) or <see cref="OperationCanceledException"/>.
    /// </summary>
    /// <param name="endPoint">An IP or unix address; names are refused: they would be resolved outside Tor.</param>
    public static async Task<ControlConnection> ConnectAsync(
        EndPoint endPoint, ControlCredentials credentials, ControlConnectionOptions options, ILogger logger, TimeProvider time,
        CancellationToken cancellationToken)
    {
        if (endPoint is not (IPEndPoint or UnixDomainSocketEndPoint))
            throw new ArgumentException("a control port is an IP address with a port, or a unix socket", nameof(endPoint));
        string name = endPoint is UnixDomainSocketEndPoint ? $"unix:{endPoint}" : endPoint.ToString()!;
        using var deadline = new CancellationTokenSource(options.ConnectTimeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);

        ControlConnection? connection = null;
        try
        {
            connection = new ControlConnection(
                await OpenAsync(endPoint, options.Binding, both.Token), name, options, logger, time);
            bool isLocal = endPoint is not IPEndPoint ip || IPAddress.IsLoopback(ip.Address);
            connection.Info = await new ControlAuthenticator(connection.SendAsync, credentials, isLocal)
                .RunAsync(both.Token);
            Log.Connected(logger, name, connection.Info.TorVersion);
            var result = connection;
            connection = null;
            return result;
        }
        catch (SocketException failure)
        {
            throw new ControlConnectionException(
                $"cannot connect to the control port {name}: {UnixSocketFile.MessageOf(endPoint, failure)}", failure);
        }
        catch (Exception failure)
            when (failure is OperationCanceledException or TimeoutException && !cancellationToken.IsCancellationRequested)
        {
            throw new ControlConnectionException(
                $"the control port {name} did not let us in within {options.ConnectTimeout.TotalSeconds:0.###} s", failure);
        }
        finally
        {
            if (connection is not null)
                await connection.DisposeAsync();
        }
    }

    /// <summary>
    /// A queue for events from now on; ask for them with <see cref="SetEventsAsync"/>. Dispose it when it is not read any longer.
    /// </summary>
    /// <param name="capacity">Events kept for a slow consumer; see <see cref="ControlSubscription"/>.</param>
    public ControlSubscription Subscribe(int capacity = 4096)
    {
        var subscription = new ControlSubscription(capacity, Unsubscribe);
        lock (_lock)
        {
            if (_ended is null)
                _subscriptions = [.. _subscriptions, subscription];
            else
                subscription.Complete();
        }

        return subscription;
    }

    /// <summary>
    /// Sends one command and returns its reply, whatever its code. Throws <see cref="ControlConnectionException"/> when the
    /// connection ends, <see cref="TimeoutException"/> past the limit.
    /// </summary>
    /// <param name="command">One line without its end. Must not hold CR, LF or NUL: it could otherwise smuggle in a second command.</param>
    public async Task<ControlReply> SendAsync(string command, CancellationToken cancellationToken)
    {
        if (command.AsSpan().ContainsAny('\r', '\n', '\0'))
            throw new ArgumentException("a control command is one line", nameof(command));
        return await SendAsync(Encoding.UTF8.GetBytes(command + "\r\n"), Keyword(command), cancellationToken);
    }

    /// <summary>Closes the connection and waits for the reader's end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await _stop.CancelAsync();
            await _reading;
            _stop.Dispose();
        }
        else
        {
            await _reading;
        }
    }

    private async Task<ControlReply> SendAsync(byte[] bytes, string keyword, CancellationToken cancellationToken)
    {
        var reply = new TaskCompletionSource<ControlReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var deadline = new CancellationTokenSource(_options.CommandTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            await _writing.WaitAsync(both.Token);
            try
            {
                Enqueue(reply);
                await WriteAsync(bytes, both.Token);
            }
            finally
            {
                _writing.Release();
            }

            return await reply.Task.WaitAsync(both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"tor did not answer {keyword} within {_options.CommandTimeout.TotalSeconds:0.###} s");
        }
    }

    private static async Task<Socket> OpenAsync(EndPoint endPoint, SocketBinding binding, CancellationToken cancellationToken)
    {
        var socket = endPoint is UnixDomainSocketEndPoint
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            binding.Apply(socket);
            await socket.ConnectAsync(endPoint, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private void Enqueue(TaskCompletionSource<ControlReply> reply)
    {
        lock (_lock)
        {
            if (_ended is { } reason)
                throw Ended(reason);
            _waiting.Enqueue(reply);
        }
    }

    private async Task WriteAsync(byte[] bytes, CancellationToken cancellationToken)
    {
        try
        {
            await _stream.WriteAsync(bytes, cancellationToken);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // Half a command may be out: nothing that follows would be understood. The reader ends it for everybody.
            End(failure);
            _socket.Dispose();
            if (failure is OperationCanceledException)
                throw;
        }
    }

    private async Task ReadAsync()
    {
        // The constructor must be through before anything is read.
        await Task.Yield();
        var parser = new ControlProtocolParser(_options.MaxReplyBytes);
        var reader = PipeReader.Create(
            _stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true, useZeroByteReads: true));
        Exception reason;
        try
        {
            reason = await ReadRepliesAsync(reader, parser);
        }
        catch (Exception failure)
        {
            // Whatever it is, those who wait must hear of it.
            reason = failure is OperationCanceledException ? new ObjectDisposedException(nameof(ControlConnection)) : failure;
        }

        End(reason);
        await reader.CompleteAsync();
        await _stream.DisposeAsync();
        Log.Closed(_logger, _name, EndReason!.Message);
    }

    private async Task<Exception> ReadRepliesAsync(PipeReader reader, ControlProtocolParser parser)
    {
        while (true)
        {
            var read = await reader.ReadAsync(_stop.Token);
            var buffer = read.Buffer;
            while (parser.TryRead(ref buffer, out var reply))
            {
                if (reply.IsAsynchronous)
                    Publish(ControlEventParser.Parse(reply));
                else if (TakeWaiting() is { } waiting)
                    waiting.TrySetResult(reply);
                else
                    throw new ControlProtocolException($"tor sent a reply ({reply.Code}) that nobody asked for");
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
                return new EndOfStreamException("tor closed the connection");
        }
    }

    private TaskCompletionSource<ControlReply>? TakeWaiting()
    {
        lock (_lock)
            return _waiting.TryDequeue(out var waiting) ? waiting : null;
    }

    private void Publish(ControlEvent message)
    {
        foreach (var subscription in Volatile.Read(ref _subscriptions))
        {
            if (!subscription.Publish(message))
                Log.EventsDropped(_logger, _name);
        }
    }

    private void Unsubscribe(ControlSubscription subscription)
    {
        lock (_lock)
            _subscriptions = [.. _subscriptions.Where(other => other != subscription)];
    }

    private void End(Exception reason)
    {
        TaskCompletionSource<ControlReply>[] waiting;
        ControlSubscription[] subscriptions;
        lock (_lock)
        {
            _ended ??= reason;
            waiting = [.. _waiting];
            _waiting.Clear();
            subscriptions = _subscriptions;
            _subscriptions = [];
        }

        foreach (var one in waiting)
        {
            one.TrySetException(Ended(reason));

            // One that timed out is not awaited any more: its exception is observed here.
            _ = one.Task.Exception;
        }

        foreach (var one in subscriptions)
            one.Complete();
    }

    private ControlConnectionException Ended(Exception reason) =>
        new($"the control connection to {_name} has ended: {reason.Message}", reason);

    private static string Keyword(string command) => command.IndexOf(' ') is >= 0 and var space ? command[..space] : command;

    private static partial class Log
    {
        [LoggerMessage(TorControlEventIds.Connected, LogLevel.Debug, "Control port {Name}: connected, tor {Version}")]
        public static partial void Connected(ILogger logger, string name, string version);

        [LoggerMessage(TorControlEventIds.Closed, LogLevel.Debug, "Control port {Name}: closed: {Reason}")]
        public static partial void Closed(ILogger logger, string name, string reason);

        [LoggerMessage(
            TorControlEventIds.EventsDropped, LogLevel.Warning,
            "Control port {Name}: events come faster than they are consumed; some are dropped")]
        public static partial void EventsDropped(ILogger logger, string name);
    }
}
