using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>All listeners and all connections: starts them, and stops them in stages.</summary>
internal sealed partial class ProxyServer(ConnectionServices services, ILogger<ProxyServer> logger) : IAsyncDisposable
{
    private const int Backlog = 4096;

    private readonly List<(ProxyListener Listener, Task Loop)> _listeners = [];

    public ConnectionRegistry Connections => services.Registry;

    /// <summary>The addresses that are listened on, with their real ports.</summary>
    public IReadOnlyList<(string Name, EndPoint Address)> Addresses =>
        [.. _listeners.Select(entry => (entry.Listener.Model.Name, entry.Listener.LocalEndPoint))];

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
                    var listener = services.Transport.Listen(
                        model.Address, new ListenSettings(Backlog, model.SocketMode, model.IsDualStack));
                    bound.Add(new ProxyListener(listener, model, services, logger));
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
            _listeners.Add((listener, listener.RunAsync(Connections.Stopping)));
            Log.Listening(logger, listener.Model.Name, listener.LocalEndPoint);
        }
    }

    /// <summary>
    /// Stops in stages: listeners close at once, live connections go on for the drain time, then they are cut. True when
    /// all ended by themselves.
    /// </summary>
    public async Task<bool> StopAsync(TimeSpan drain, CancellationToken hurry)
    {
        await Connections.DrainAsync();
        foreach (var (listener, loop) in _listeners)
        {
            await loop;
            await listener.CloseAsync();
        }

        var empty = Connections.WhenEmptyAsync();
        if (!empty.IsCompleted && drain > TimeSpan.Zero)
        {
            Log.Draining(logger, Connections.Count, drain);
            using var timer = new CancellationTokenSource(drain, services.Time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, hurry);
            await WaitAsync(empty, either.Token);
        }

        bool clean = empty.IsCompleted;
        if (!clean)
        {
            Log.DrainEnded(logger, Connections.Count);
            foreach (var connection in Connections.All)
                connection.Abort(TunnelEnd.Drained);
            using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(5), services.Time);
            await WaitAsync(empty, bound.Token);
        }

        return clean;
    }

    public async ValueTask DisposeAsync()
    {
        if (!Connections.Stopping.IsCancellationRequested)
            await StopAsync(TimeSpan.Zero, CancellationToken.None);
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
