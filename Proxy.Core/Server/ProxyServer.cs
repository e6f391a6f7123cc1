using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>All listeners and all connections: starts them, and stops them in stages.</summary>
internal sealed partial class ProxyServer(ConnectionServices services, ConnectionRegistry connections, ILoggerFactory loggers) : IAsyncDisposable
{
    private const int Backlog = 4096;

    private readonly ILogger _logger = loggers.CreateLogger<ProxyServer>();
    private readonly ILogger _connectionLogger = loggers.CreateLogger<ClientConnection>();
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<(ProxyListener Listener, Task Loop)> _listeners = [];
    private long _lastId;

    public ConnectionRegistry Connections { get; } = connections;

    /// <summary>Cancelled when the daemon drains: connections may go on, but take no further request.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>The addresses that are listened on, with their real ports.</summary>
    public IReadOnlyList<(string Name, EndPoint Address)> Addresses => [.. _listeners.Select(entry => (entry.Listener.Model.Name, entry.Listener.LocalEndPoint))];

    /// <summary>
    /// Binds every listener before any accepts, so that a start either succeeds whole or fails whole. Throws
    /// <see cref="ListenException"/> naming the listener that could not be bound.
    /// </summary>
    public async Task StartAsync(IEnumerable<ListenerModel> models)
    {
        var bound = new List<ProxyListener>();
        try
        {
            foreach (var model in models)
            {
                try
                {
                    var listener = services.Transport.Listen(model.Address, new ListenSettings(Backlog, model.SocketMode, model.IsDualStack));
                    bound.Add(new ProxyListener(listener, model, this, services.Descriptors, services.Memory, services.Time, _logger));
                }
                catch (Exception failure) when (failure is System.Net.Sockets.SocketException or IOException or UnauthorizedAccessException)
                {
                    throw new ListenException($"[Listener:{model.Name}] cannot listen on {model.Address}: {failure.Message}", failure);
                }
            }
        }
        catch
        {
            foreach (var listener in bound)
                await listener.CloseAsync();
            throw;
        }

        foreach (var listener in bound)
        {
            _listeners.Add((listener, listener.RunAsync(_stopping.Token)));
            Log.Listening(_logger, listener.Model.Name, listener.LocalEndPoint);
        }
    }

    /// <summary>Starts one accepted connection.</summary>
    internal void Start(TransportConnection connection, ProxyListener listener, IPAddress? address)
    {
        var context = new ConnectionContext(Interlocked.Increment(ref _lastId), listener.Model, address, services.Time.GetTimestamp());
        var client = new ClientConnection(connection, context, services, listener, _connectionLogger);

        // Tracked by the registry until it has ended.
        Connections.Add(client);
        services.Trim?.Touch();
        connection.Schedule(client);
    }

    /// <summary>
    /// Stops in stages: listeners close at once, live connections go on for the drain time, then they are cut. True when
    /// all ended by themselves.
    /// </summary>
    public async Task<bool> StopAsync(TimeSpan drain, CancellationToken hurry)
    {
        await _stopping.CancelAsync();
        foreach (var (listener, loop) in _listeners)
        {
            await loop;
            await listener.CloseAsync();
        }

        var empty = Connections.WhenEmptyAsync();
        if (!empty.IsCompleted && drain > TimeSpan.Zero)
        {
            Log.Draining(_logger, Connections.Count, drain);
            using var timer = new CancellationTokenSource(drain, services.Time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, hurry);
            await WaitAsync(empty, either.Token);
        }

        bool clean = empty.IsCompleted;
        if (!clean)
        {
            Log.DrainEnded(_logger, Connections.Count);
            foreach (var connection in Connections.All)
                connection.Abort(TunnelEnd.Drained);
            using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(5), services.Time);
            await WaitAsync(empty, bound.Token);
        }

        return clean;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopping.IsCancellationRequested)
            await StopAsync(TimeSpan.Zero, CancellationToken.None);
        _stopping.Dispose();
    }

    private static async Task WaitAsync(Task task, CancellationToken token)
    {
        try
        {
            await task.WaitAsync(token);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static partial class Log
    {
        [LoggerMessage(ServerEventIds.Listening, LogLevel.Information, "Listener {Listener} on {Address}")]
        public static partial void Listening(ILogger logger, string listener, EndPoint address);

        [LoggerMessage(ServerEventIds.Draining, LogLevel.Information, "Stopping: {Count} connections may go on for up to {Drain}")]
        public static partial void Draining(ILogger logger, int count, TimeSpan drain);

        [LoggerMessage(ServerEventIds.DrainEnded, LogLevel.Warning, "The drain time is over: {Count} connections are cut")]
        public static partial void DrainEnded(ILogger logger, int count);
    }
}

/// <summary>A listener could not be bound.</summary>
public sealed class ListenException(string message, Exception inner) : Exception(message, inner);
