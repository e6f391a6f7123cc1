using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>Listens on a TCP address or a unix socket.</summary>
internal sealed class SocketTransportListener(ListeningSocket listening, OpenSockets open) : ITransportListener
{
    private readonly Socket _socket = listening.Socket;

    public EndPoint LocalEndPoint { get; } = listening.Socket.LocalEndPoint!;

    public Task RunAsync(Func<Task> acceptLoop) => acceptLoop();

    public async ValueTask<TransportConnection> AcceptAsync(CancellationToken cancellationToken)
    {
        // A client that went between accept and here is its own business, not the accept loop's.
        while (true)
        {
            if (Wrap(await _socket.AcceptAsync(cancellationToken)) is { } connection)
                return connection;
        }
    }

    public bool HasQueued => listening.HasQueued;

    public Socket Socket => _socket;

    public bool OwnsFile => listening.OwnsFile;

    public void Leave() => listening.Leave();

    public TransportConnection? TryAccept()
    {
        try
        {
            while (_socket.Poll(0, SelectMode.SelectRead))
            {
                if (Wrap(_socket.Accept()) is { } connection)
                    return connection;
            }
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
        }

        return null;
    }

    private SocketConnection? Wrap(Socket accepted)
    {
        try
        {
            var connection = new SocketConnection(accepted, open);
            open.Accepted(accepted);
            return connection;
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            accepted.Dispose();
            return null;
        }
    }

    public ValueTask DisposeAsync()
    {
        listening.Dispose();
        return ValueTask.CompletedTask;
    }
}
