using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>Makes stream sockets and applies <see cref="SocketSettings"/> to them.</summary>
internal static class SocketTuning
{
    private const int Probes = 4;

    /// <summary>
    /// A socket for an IP or unix address. Throws <see cref="SocketException"/>: no descriptors left, or a family that this machine does
    /// not have.
    /// </summary>
    public static Socket Create(EndPoint endPoint) => endPoint switch
    {
        UnixDomainSocketEndPoint => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
        _ => new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp),
    };

    /// <param name="peer">Where the socket is to be connected; null for a listening one, whose options accepted sockets inherit.</param>
    public static void Apply(Socket socket, SocketSettings settings, EndPoint? peer)
    {
        if (socket.AddressFamily == AddressFamily.Unix)
            return;
        socket.NoDelay = true;

        // On this machine the kernel knows by itself when a process has gone; asking would only cost system calls.
        if (peer is IPEndPoint { Address: var address } && IPAddress.IsLoopback(address))
            return;
        if (settings.KeepAlive > TimeSpan.Zero)
        {
            int seconds = (int)Math.Max(1, settings.KeepAlive.TotalSeconds);
            KeepAlive(socket, seconds, Math.Max(1, seconds / 4));
        }

        if (peer is not null && settings.UserTimeout > TimeSpan.Zero && OperatingSystem.IsLinux())
        {
            byte[] milliseconds = BitConverter.GetBytes((int)settings.UserTimeout.TotalMilliseconds);
            socket.SetRawSocketOption(OptionNumbers.IpProtoTcp, OptionNumbers.TcpUserTimeout, milliseconds);
        }
    }

    /// <summary>
    /// Has a socket that is to listen take connections to foreign addresses as well, and those it accepts speak as such. Throws
    /// <see cref="SocketException"/> where that is not permitted.
    /// </summary>
    public static void TakeForeign(Socket socket)
    {
        var (level, name) = socket.AddressFamily == AddressFamily.InterNetworkV6
            ? (OptionNumbers.IpProtoIpV6, OptionNumbers.IpV6Transparent)
            : (OptionNumbers.IpProtoIp, OptionNumbers.IpTransparent);

        // A service manager may have done it already, with rights that this process lacks.
        Span<byte> value = stackalloc byte[sizeof(int)];
        if (socket.GetRawSocketOption(level, name, value) == 0 || BitConverter.ToInt32(value) == 0)
            socket.SetRawSocketOption(level, name, BitConverter.GetBytes(1));
    }

    /// <summary>See <see cref="TransportConnection.OriginalDestination"/>.</summary>
    public static IPEndPoint? OriginalOf(Socket socket, IPAddress remote)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        bool isV4 = remote.AddressFamily == AddressFamily.InterNetwork || remote.IsIPv4MappedToIPv6;
        var family = new IPEndPoint(isV4 ? IPAddress.Any : IPAddress.IPv6Any, 0);
        var address = family.Serialize();
        try
        {
            int level = isV4 ? OptionNumbers.IpProtoIp : OptionNumbers.IpProtoIpV6;
            int length = socket.GetRawSocketOption(level, OptionNumbers.OriginalDestination, address.Buffer.Span);
            return length == address.Size ? (IPEndPoint)family.Create(address) : null;
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>See <see cref="TransportConnection.ProbePeer"/>.</summary>
    public static void ProbePeer(Socket socket)
    {
        try
        {
            if (socket.AddressFamily != AddressFamily.Unix)
                KeepAlive(socket, SocketSettings.ProbeSeconds, SocketSettings.ProbeSeconds);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // It is over: nobody is left to be asked.
        }
    }

    private static void KeepAlive(Socket socket, int idle, int interval)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, idle);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, interval);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Probes);
    }
}
