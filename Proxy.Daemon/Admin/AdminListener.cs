using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
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
    private bool _failed;

    public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

    /// <summary>The next connection; null when it is unbound.</summary>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (!_unbound.IsCancellationRequested)
        {
            try
            {
                var accepted = await socket.AcceptAsync(cancellationToken);
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
        await _unbound.CancelAsync();
        socket.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await UnbindAsync();
        connections.Dispose();
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

        public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        {
            var socket = bind(endpoint);
            try
            {
                socket.Listen(Backlog);
                return ValueTask.FromResult<IConnectionListener>(
                    new AdminListener(
                        socket, new SocketConnectionContextFactory(new SocketConnectionFactoryOptions(), logger), descriptors, time));
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }
}
