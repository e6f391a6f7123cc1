using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Interop;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// Accepts for the admin API. Kestrel's own asks again at once whatever the error was, which takes a processor when it is one
/// that stays; and its connections must leave the runtime the descriptors that it cannot do without.
/// </summary>
internal sealed class AdminListener(
    Socket socket, SocketConnectionContextFactory connections, DescriptorBudget descriptors, TimeProvider time) : IConnectionListener
{
    /// <summary>After an error that follows another one, and after a connection that there was no room for.</summary>
    internal static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _unbound = new();
    private readonly Lock _lock = new();
    private CancellationTokenSource? _paused;
    private TaskCompletionSource _resumed = Resumed();
    private Task _accepting = Task.CompletedTask;
    private bool _failed;
    private bool _isShared;
    private bool _isLeft;

    public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

    /// <summary>The listening socket, for another process to have as well.</summary>
    public Socket Socket => socket;

    /// <summary>Another process has the socket too: unbinding closes our descriptor and nothing else.</summary>
    public bool IsShared
    {
        init => _isShared = value;
    }

    /// <summary>Removed when it is unbound, as long as this says so; null: the framework removes what it has made.</summary>
    public (string Path, Func<bool> IsOurs)? File { get; init; }

    /// <summary>As <see cref="PauseAsync"/>, before anybody has been accepted.</summary>
    public void Hold() => _resumed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Accepts nobody until <see cref="Resume"/>.</summary>
    public async Task PauseAsync()
    {
        Task accepting;
        CancellationTokenSource? paused;
        lock (_lock)
        {
            if (!_resumed.Task.IsCompleted)
                return;
            _resumed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            (accepting, paused) = (_accepting, _paused);
        }

        try
        {
            if (paused is not null)
                await paused.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // Somebody has just come.
        }

        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Accepts again.</summary>
    public void Resume()
    {
        lock (_lock)
            _resumed.TrySetResult();
    }

    /// <summary>After <see cref="PauseAsync"/>: the socket and its file are another process's from now on.</summary>
    public async Task LeaveAsync()
    {
        (_isShared, _isLeft) = (true, true);
        await UnbindAsync();
    }

    /// <summary>The next connection; null when it is unbound.</summary>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (!_unbound.IsCancellationRequested)
        {
            try
            {
                var accepted = await NextAsync(cancellationToken);
                if (accepted is null)
                    continue;
                if (TryCreate(accepted) is { } connection)
                {
                    _failed = false;
                    return connection;
                }
            }
            catch (Exception failure) when (
                failure is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
            {
                return null;
            }
            catch (SocketException)
            {
            }

            if (_failed)
                await Task.Delay(Pause, time, _unbound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _failed = true;
        }

        return null;
    }

    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        if (_unbound.IsCancellationRequested)
            return;
        await _unbound.CancelAsync();
        if (!_isShared)
        {
            socket.Dispose();
            return;
        }

        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        SharedDescriptors.Close(socket);
        if (!_isLeft && File is { } file && file.IsOurs())
            System.IO.File.Delete(file.Path);
    }

    public async ValueTask DisposeAsync()
    {
        await UnbindAsync();
        connections.Dispose();
    }

    /// <summary>Null: it was paused or unbound before anybody came.</summary>
    private async Task<Socket?> NextAsync(CancellationToken cancellationToken)
    {
        await Volatile.Read(ref _resumed).Task.WaitAsync(_unbound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _unbound.Token);
        Task<Socket> accepting;
        lock (_lock)
        {
            if (!_resumed.Task.IsCompleted || _unbound.IsCancellationRequested)
                return null;
            _paused = either;
            _accepting = accepting = socket.AcceptAsync(either.Token).AsTask();
        }

        try
        {
            return await accepting;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            lock (_lock)
                _paused = null;
        }
    }

    private static TaskCompletionSource Resumed()
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        done.SetResult();
        return done;
    }

    private ConnectionContext? TryCreate(Socket accepted)
    {
        try
        {
            if (descriptors.MayServiceHave((int)accepted.Handle))
            {
                if (EndPoint is IPEndPoint)
                    accepted.NoDelay = true;
                return connections.Create(accepted);
            }
        }
        catch (SocketException)
        {
            // It has gone already.
        }

        accepted.Dispose();
        return null;
    }

    /// <summary>Makes them for Kestrel.</summary>
    internal sealed class Factory(
        Func<EndPoint, Socket> bind, DescriptorBudget descriptors, TimeProvider time, ILogger logger) : IConnectionListenerFactory
    {
        private const int Backlog = 512;

        /// <summary>Sockets of another process that are taken instead of bound; null: there are none.</summary>
        public Func<EndPoint, InheritedSocket?>? Inherited { get; init; }

        /// <summary>Those that were made, with the addresses that were asked for.</summary>
        public List<(EndPoint Configured, AdminListener Listener)> Made { get; } = [];

        public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        {
            var inherited = Inherited?.Invoke(endpoint);
            var socket = inherited?.Socket ?? bind(endpoint);
            try
            {
                socket.Listen(Backlog);
                var listener = new AdminListener(
                    socket, new SocketConnectionContextFactory(new SocketConnectionFactoryOptions(), logger), descriptors, time)
                {
                    IsShared = inherited is not null,
                    File = inherited is not null && endpoint is UnixDomainSocketEndPoint
                        ? (endpoint.ToString()!, inherited.OwnsFile) : null,
                };

                // Whoever it is taken from serves until then.
                if (Inherited is not null)
                    listener.Hold();
                Made.Add((endpoint, listener));
                return ValueTask.FromResult<IConnectionListener>(listener);
            }
            catch when (inherited is null)
            {
                socket.Dispose();
                throw;
            }
        }
    }
}
