using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>Accepts the connections of one listener and starts each. Nothing that a client or the kernel does ends the loop.</summary>
internal sealed partial class ProxyListener(ITransportListener listener, ListenerModel model, ProxyServer server, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(50), MaxPause = TimeSpan.FromSeconds(1);

    private int _live;
    private long _fullSaidAt;
    private TimeSpan _pause;

    public ListenerModel Model => model;

    public EndPoint LocalEndPoint => listener.LocalEndPoint;

    /// <summary>Runs until the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            await listener.RunAsync(() => AcceptAsync(stopping));
            if (!stopping.IsCancellationRequested)
                await PauseAsync(_pause, stopping);
        }
    }

    /// <summary>Accepts until it stops or until a pause is needed; what comes after a pause begins where accepting is cheapest.</summary>
    private async Task AcceptAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var connection = await listener.AcceptAsync(stopping);
                _pause = TimeSpan.Zero;
                Admit(connection);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (SocketException failure) when (IsResourcePressure(failure.SocketErrorCode))
            {
                // The connection stays in the kernel's queue and is accepted when descriptors come back.
                if (_pause == TimeSpan.Zero)
                    Log.Paused(logger, model.Name, failure.SocketErrorCode);
                _pause = _pause == TimeSpan.Zero ? MinPause : _pause * 2 < MaxPause ? _pause * 2 : MaxPause;
                return;
            }
            catch (SocketException failure)
            {
                // One client's connection broke before it was accepted; the others are not concerned.
                Log.AcceptFailed(logger, model.Name, failure.SocketErrorCode);
            }
            catch (ObjectDisposedException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Closes the port. Clients that the kernel had let in already are served: they believe that they are connected.</summary>
    public ValueTask CloseAsync()
    {
        while (listener.TryAccept() is { } queued)
            Admit(queued);
        return listener.DisposeAsync();
    }

    /// <summary>See <see cref="ProxyServer.Stopping"/>.</summary>
    public CancellationToken Stopping => server.Stopping;

    /// <summary>Told when one of its connections has ended.</summary>
    public void Ended(ClientConnection connection)
    {
        server.Connections.Remove(connection);
        Interlocked.Decrement(ref _live);
    }

    private void Admit(TransportConnection connection)
    {
        var address = connection.RemoteAddress;
        if (address is { IsIPv4MappedToIPv6: true })
            address = address.MapToIPv4();
        if (!model.Allows(address))
        {
            Log.NotAllowed(logger, model.Name);
            connection.Abort();
            return;
        }

        if (Interlocked.Increment(ref _live) > model.MaxConnections && model.MaxConnections > 0)
        {
            Interlocked.Decrement(ref _live);
            connection.Abort();

            // A full listener turns many away; once a minute says it.
            long now = time.GetTimestamp();
            if (_fullSaidAt == 0 || time.GetElapsedTime(_fullSaidAt, now) >= TimeSpan.FromMinutes(1))
            {
                _fullSaidAt = now;
                Log.Full(logger, model.Name, model.MaxConnections);
            }

            return;
        }

        server.Start(connection, this, address);
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken stopping)
    {
        try
        {
            await Task.Delay(pause, time, stopping);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static bool IsResourcePressure(SocketError error) =>
        error is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.ProcessLimit;

    private static partial class Log
    {
        [LoggerMessage(ServerEventIds.AcceptPaused, LogLevel.Warning, "Listener {Listener} pauses: {Error}. Waiting clients stay in the kernel's queue; raise LimitNOFILE when this comes back")]
        public static partial void Paused(ILogger logger, string listener, SocketError error);

        [LoggerMessage(ServerEventIds.AcceptFailed, LogLevel.Debug, "Listener {Listener}: a connection broke before it was accepted: {Error}")]
        public static partial void AcceptFailed(ILogger logger, string listener, SocketError error);

        [LoggerMessage(ServerEventIds.ClientNotAllowed, LogLevel.Debug, "Listener {Listener}: a client is not in AllowFrom")]
        public static partial void NotAllowed(ILogger logger, string listener);

        [LoggerMessage(ServerEventIds.ListenerFull, LogLevel.Warning, "Listener {Listener} is full: MaxConnections = {Max}; further clients are refused until others leave")]
        public static partial void Full(ILogger logger, string listener, int max);
    }
}
