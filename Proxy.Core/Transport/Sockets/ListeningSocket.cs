using System.Net;
using System.Net.Sockets;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Sockets;

/// <summary>A bound, listening socket of either engine, and the file that a unix socket leaves behind.</summary>
internal sealed class ListeningSocket : IDisposable
{
    private readonly string? _unixPath;

    private ListeningSocket(Socket socket, string? unixPath)
    {
        Socket = socket;
        _unixPath = unixPath;
    }

    public Socket Socket { get; }

    /// <summary>See <see cref="ITransportListener.HasQueued"/>.</summary>
    public bool HasQueued
    {
        get
        {
            try
            {
                return Socket.Poll(0, SelectMode.SelectRead);
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                return false;
            }
        }
    }

    /// <summary>Throws <see cref="SocketException"/> when the address cannot be had.</summary>
    public static ListeningSocket Bind(EndPoint address, ListenSettings settings, SocketSettings socketSettings)
    {
        if (settings.Inherited is { } inherited)
        {
            // The file of a unix socket is whoever's who has made it.
            SocketTuning.Apply(inherited, socketSettings, peer: null);
            if (settings.TakesForeign)
                SocketTuning.TakeForeign(inherited);
            inherited.Listen(settings.Backlog);
            return new ListeningSocket(inherited, unixPath: null);
        }

        var socket = SocketTuning.Create(address);
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
                socket.DualMode = settings.IsDualStack;
            }

            // Accepted sockets inherit these from the listening one.
            SocketTuning.Apply(socket, socketSettings, peer: null);
            if (settings.TakesForeign)
                SocketTuning.TakeForeign(socket);
            if (path is null)
                socket.Bind(address);
            else
                UnixSocketFile.Bind(socket, path, settings.UnixFileMode);
            socket.Listen(settings.Backlog);
            return new ListeningSocket(socket, path);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Socket.Dispose();
        if (_unixPath is null)
            return;
        try
        {
            File.Delete(_unixPath);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Its directory is gone or not ours any more; the next start finds that nobody answers on it.
        }
    }

    /// <summary>
    /// A socket file that nobody answers on is left over from a crash; one that somebody answers on is not ours to remove.
    /// </summary>
    private static void RemoveStale(string path, UnixDomainSocketEndPoint endPoint)
    {
        // Any other file refuses as well.
        if (!UnixSocketFile.Is(path))
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
