using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>Applies <see cref="SocketSettings"/>.</summary>
internal static class SocketTuning
{
    private const int Probes = 4;

    // Linux: level IPPROTO_TCP, option TCP_USER_TIMEOUT, milliseconds as an int (tcp(7)).
    private const int IpProtoTcp = 6, TcpUserTimeout = 18;

    public static void Apply(Socket socket, SocketSettings settings, bool outgoing)
    {
        if (socket.AddressFamily == AddressFamily.Unix)
            return;
        socket.NoDelay = true;
        if (settings.KeepAlive > TimeSpan.Zero)
        {
            int seconds = (int)Math.Max(1, settings.KeepAlive.TotalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, seconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, Math.Max(1, seconds / 4));
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Probes);
        }

        if (outgoing && settings.UserTimeout > TimeSpan.Zero && OperatingSystem.IsLinux())
            socket.SetRawSocketOption(IpProtoTcp, TcpUserTimeout, BitConverter.GetBytes((int)settings.UserTimeout.TotalMilliseconds));
    }
}
