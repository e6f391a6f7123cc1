using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using static TorBalancer.Transport.OptionNumbers;

namespace TorBalancer.Transport.Linux;

/// <summary>struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)) to endpoints. The other way is <see cref="EndPoint.Serialize"/>.</summary>
internal static unsafe class SocketAddresses
{
    /// <summary>Enough for every address of a TCP socket.</summary>
    public const int MaxLength = 28;

    /// <summary>Null for a family without ports.</summary>
    public static IPEndPoint? Parse(ReadOnlySpan<byte> address)
    {
        if (address.Length < 2)
            return null;

        // family 2 | port 2 | address 4        family 2 | port 2 | flow 4 | address 16 | scope 4
        int family = BitConverter.ToUInt16(address);
        if (family == Libc.AfInet && address.Length >= 8)
        {
            uint v4 = BinaryPrimitives.ReadUInt32BigEndian(address[4..]);
            var ip = v4 == 0x7F000001 ? IPAddress.Loopback : new IPAddress(address.Slice(4, 4));
            return new IPEndPoint(ip, BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
        }

        return family == Libc.AfInet6 && address.Length >= MaxLength
            ? new IPEndPoint(
                new IPAddress(address.Slice(8, 16), BitConverter.ToUInt32(address[24..])),
                BinaryPrimitives.ReadUInt16BigEndian(address[2..]))
            : null;
    }

    /// <summary>See <see cref="TransportConnection.OriginalDestination"/>.</summary>
    /// <param name="remote">The peer's address, which says the family that NAT knows the connection in.</param>
    public static IPEndPoint? OriginalOf(int fd, IPAddress remote)
    {
        byte* address = stackalloc byte[MaxLength];
        uint length = MaxLength;
        int level = remote.AddressFamily == AddressFamily.InterNetwork || remote.IsIPv4MappedToIPv6 ? IpProtoIp : IpProtoIpV6;
        return Libc.GetSocketOption(fd, level, OriginalDestination, address, &length) == 0
            ? Parse(new ReadOnlySpan<byte>(address, (int)Math.Min(length, MaxLength)))
            : null;
    }

    public static IPEndPoint? LocalOf(int fd)
    {
        byte* address = stackalloc byte[MaxLength];
        uint length = MaxLength;
        return Libc.GetSocketName(fd, address, &length) == 0
            ? Parse(new ReadOnlySpan<byte>(address, (int)Math.Min(length, MaxLength)))
            : null;
    }
}
