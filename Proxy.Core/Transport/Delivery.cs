using System.Net.Sockets;

namespace TorBalancer.Transport;

/// <summary>
/// What became of the bytes that were written to a TCP connection, as the kernel knows it (struct tcp_info of linux/tcp.h). That the
/// peer's kernel has acknowledged them says that they arrived, not that its program has read them.
/// </summary>
/// <param name="Acknowledged">Bytes that the peer has acknowledged since the connection began; grows as long as it takes any.</param>
/// <param name="IsComplete">Nothing waits to be sent or acknowledged.</param>
internal readonly record struct Delivery(long Acknowledged, bool IsComplete)
{
    /// <summary>As much of struct tcp_info as is looked at.</summary>
    public const int InfoBytes = 148;

    /// <summary>tcp_info's first octet when the connection is over: reset, or finished by both sides.</summary>
    public const byte Closed = 7;

    private const int Unacknowledged = 24, BytesAcknowledged = 120, NotSent = 144;

    /// <summary>Null when the kernel told less (it is older than Linux 4.6).</summary>
    public static Delivery? Parse(ReadOnlySpan<byte> info) => info.Length < InfoBytes
        ? null
        : new Delivery(
            (long)BitConverter.ToUInt64(info[BytesAcknowledged..]),
            BitConverter.ToUInt32(info[Unacknowledged..]) == 0 && BitConverter.ToUInt32(info[NotSent..]) == 0);

    /// <summary>Null where there is no telling: another system, a unix socket, a closed one.</summary>
    public static Delivery? Of(Socket socket)
    {
        Span<byte> info = stackalloc byte[InfoBytes];
        return TryGetInfo(socket, info, out int length) ? Parse(info[..length]) : null;
    }

    /// <summary>True when the connection was reset, broke or was closed on our side.</summary>
    public static bool IsBroken(Socket socket)
    {
        Span<byte> info = stackalloc byte[InfoBytes];
        return TryGetInfo(socket, info, out _) && info[0] == Closed;
    }

    private static bool TryGetInfo(Socket socket, Span<byte> info, out int length)
    {
        length = 0;
        try
        {
            if (!OperatingSystem.IsLinux() || socket.AddressFamily == AddressFamily.Unix)
                return false;
            length = socket.GetRawSocketOption(OptionNumbers.IpProtoTcp, OptionNumbers.TcpInfo, info);
            return length > 0;
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }
}
