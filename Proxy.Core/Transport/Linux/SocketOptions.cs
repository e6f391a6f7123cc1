using System.Net;
using System.Text;
using static TorBalancer.Transport.OptionNumbers;

namespace TorBalancer.Transport.Linux;

/// <summary>setsockopt(2) for the engine's own sockets; see <see cref="SocketSettings"/> for what they are for.</summary>
internal static unsafe class SocketOptions
{
    private const int Probes = 4;

    /// <summary>For a connection that is to be made. Accepted ones inherit from their listener.</summary>
    /// <param name="speaksFirst">We send something as soon as it stands; <see cref="Spoke"/> is to be called then.</param>
    public static void Apply(int fd, SocketSettings settings, EndPoint peer, bool speaksFirst)
    {
        if (peer is not IPEndPoint { Address: var address })
            return;
        Set(fd, IpProtoTcp, TcpNoDelay, 1);

        // The handshake's last ACK waits for what is sent next and leaves with it, one segment for two (tcp(7), TCP_QUICKACK).
        if (speaksFirst)
            Set(fd, IpProtoTcp, TcpQuickAck, 0);

        // On this machine the kernel knows by itself when a process has gone.
        if (IPAddress.IsLoopback(address))
            return;
        if (settings.KeepAlive > TimeSpan.Zero)
        {
            int seconds = (int)Math.Max(1, settings.KeepAlive.TotalSeconds);
            KeepAlive(fd, seconds, Math.Max(1, seconds / 4));
        }

        if (settings.UserTimeout > TimeSpan.Zero)
            Set(fd, IpProtoTcp, TcpUserTimeout, (int)settings.UserTimeout.TotalMilliseconds);
    }

    /// <summary>Binds to where the connection must leave; answers errno or 0. Nothing is connected unless both succeeded.</summary>
    public static int Bind(int fd, IPAddress? local, string? device)
    {
        if (device is { Length: > 0 })
        {
            byte[] name = Encoding.ASCII.GetBytes(device + '\0');
            fixed (byte* start = name)
            {
                if (Libc.SetSocketOption(fd, SolSocket, SoBindToDevice, start, (uint)name.Length) < 0)
                    return Libc.LastError;
            }
        }

        if (local is null)
            return 0;

        // The port is chosen at connect time, for the whole 4-tuple: else 28,000 connections use up an address.
        Set(fd, IpProtoIp, IpBindAddressNoPort, 1);
        var serialized = new IPEndPoint(local, 0).Serialize();
        fixed (byte* start = serialized.Buffer.Span)
            return Libc.Bind(fd, start, (uint)serialized.Size) < 0 ? Libc.LastError : 0;
    }

    /// <summary>See <see cref="TransportConnection.ProbePeer"/>.</summary>
    public static void ProbePeer(int fd) => KeepAlive(fd, SocketSettings.ProbeSeconds, SocketSettings.ProbeSeconds);

    /// <summary>See <see cref="TransportConnection.Delivery"/>.</summary>
    public static Delivery? DeliveryOf(int fd)
    {
        byte* info = stackalloc byte[Delivery.InfoBytes];
        uint length = Delivery.InfoBytes;
        return Libc.GetSocketOption(fd, IpProtoTcp, TcpInfo, info, &length) < 0
            ? null
            : Delivery.Parse(new ReadOnlySpan<byte>(info, (int)length));
    }

    /// <summary>Makes close(2) send RST.</summary>
    public static void ResetOnClose(int fd)
    {
        int* linger = stackalloc int[2];
        linger[0] = 1;
        linger[1] = 0;
        _ = Libc.SetSocketOption(fd, SolSocket, SoLinger, linger, 2 * sizeof(int));
    }

    /// <summary>
    /// Behind the first bytes acknowledges at once again, as the kernel would have it: else the ACK of what comes back is put off as
    /// well, until the read of a second answer sends it, and nothing is saved.
    /// </summary>
    public static void Spoke(int fd, EndPoint peer)
    {
        if (peer is IPEndPoint)
            Set(fd, IpProtoTcp, TcpQuickAck, 1);
    }

    /// <summary>How a connect ended: errno or 0.</summary>
    public static int TakeError(int fd)
    {
        int error = 0;
        uint length = sizeof(int);
        return Libc.GetSocketOption(fd, SolSocket, SoError, &error, &length) < 0 ? Libc.LastError : error;
    }

    private static void KeepAlive(int fd, int idle, int interval)
    {
        Set(fd, SolSocket, SoKeepAlive, 1);
        Set(fd, IpProtoTcp, TcpKeepIdle, idle);
        Set(fd, IpProtoTcp, TcpKeepInterval, interval);
        Set(fd, IpProtoTcp, TcpKeepCount, Probes);
    }

    private static void Set(int fd, int level, int name, int value) => _ = Libc.SetSocketOption(fd, level, name, &value, sizeof(int));
}
