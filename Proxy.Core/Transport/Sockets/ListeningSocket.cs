using System.Net;
using System.Net.Sockets;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Sockets;

/// <summary>A bound, listening socket of either engine, and the file that a unix socket leaves behind.</summary>
internal sealed class ListeningSocket : IDisposable
{
    private readonly string? _unixPath;
    private readonly Func<bool>? _ownsFile;
    private bool _isShared;
    private bool _isLeft;

    /// <param name="unixPath">Its file; null: it has none, or none of ours.</param>
    /// <param name="ownsFile">Of a socket that others may have too: whether the file is ours when it closes.</param>
    private ListeningSocket(Socket socket, string? unixPath, Func<bool>? ownsFile = null)
    {
        Socket = socket;
        _unixPath = unixPath;
        _ownsFile = ownsFile;
        _isShared = ownsFile is not null;
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
            return new ListeningSocket(inherited, settings.OwnsFile is null ? null : UnixPathOf(address), settings.OwnsFile ?? Never);
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

    /// <summary>Whether closing it takes its file away.</summary>
    public bool OwnsFile => _unixPath is not null && (_ownsFile is null || _ownsFile());

    /// <summary>Another process has it from now on, and its file: disposing closes our descriptor and nothing else.</summary>
    public void Leave() => (_isShared, _isLeft) = (true, true);

    public void Dispose()
    {
        if (_isShared)
            SharedDescriptors.Close(Socket);
        else
            Socket.Dispose();
        if (_isLeft || !OwnsFile)
            return;
        try
        {
            File.Delete(_unixPath!);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Its directory is gone or not ours any more; the next start finds that nobody answers on it.
        }
    }

    private static bool Never() => false;

    private static string? UnixPathOf(EndPoint address) => address is UnixDomainSocketEndPoint ? address.ToString() : null;

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
