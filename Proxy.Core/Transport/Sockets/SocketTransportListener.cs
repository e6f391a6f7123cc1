using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>Listens on a TCP address or a unix socket.</summary>
internal sealed class SocketTransportListener : ITransportListener
{
    private readonly Socket _socket;
    private readonly string? _unixPath;

    private SocketTransportListener(Socket socket, string? unixPath)
    {
        _socket = socket;
        _unixPath = unixPath;
        LocalEndPoint = socket.LocalEndPoint!;
    }

    public EndPoint LocalEndPoint { get; }

    public static SocketTransportListener Bind(EndPoint address, ListenSettings settings, SocketSettings socketSettings)
    {
        var socket = SocketTransport.CreateSocket(address);
        try
        {
            string? path = null;
            if (address is UnixDomainSocketEndPoint unix)
            {
                path = unix.ToString();
                RemoveStale(path, unix);
            }
            else if (address is IPEndPoint { AddressFamily: AddressFamily.InterNetworkV6 })
            {
                socket.DualMode = false;
            }

            // Accepted sockets inherit these from the listening one.
            SocketTuning.Apply(socket, socketSettings, peer: null);
            socket.Bind(address);
            if (path is not null && settings.UnixFileMode is { } mode && !OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, mode);
            socket.Listen(settings.Backlog);
            return new SocketTransportListener(socket, path);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async ValueTask<TransportConnection> AcceptAsync(CancellationToken cancellationToken)
    {
        // A client that went between accept and here is its own business, not the accept loop's.
        var accepted = await _socket.AcceptAsync(cancellationToken);
        return Wrap(accepted) ?? throw new SocketException((int)SocketError.ConnectionReset);
    }

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

    private static SocketConnection? Wrap(Socket accepted)
    {
        try
        {
            return new SocketConnection(accepted);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            accepted.Dispose();
            return null;
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        if (_unixPath is not null)
            File.Delete(_unixPath);
        return ValueTask.CompletedTask;
    }

    /// <summary>A socket file that nobody answers on is left over from a crash; one that somebody answers on is not ours to remove.</summary>
    private static void RemoveStale(string path, UnixDomainSocketEndPoint endPoint)
    {
        if (!File.Exists(path))
            return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(endPoint);
        }
        catch (SocketException failure) when (failure.SocketErrorCode is SocketError.ConnectionRefused)
        {
            File.Delete(path);
        }
        catch (SocketException)
        {
            // Not a socket, or not ours: bind says what is wrong.
        }
    }
}
