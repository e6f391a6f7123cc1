using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Server.Limits;

/// <summary>
/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address. One host has a whole /64 to itself (RFC 7934, RFC 8981) and
/// could come by another address each time.
/// </summary>
internal readonly record struct ClientKey(ulong Prefix, bool IsIPv6)
{
    /// <param name="address">No IPv4-mapped one.</param>
    public static ClientKey Of(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        return address.AddressFamily == AddressFamily.InterNetworkV6
            ? new ClientKey(BinaryPrimitives.ReadUInt64BigEndian(bytes), true)
            : new ClientKey(BinaryPrimitives.ReadUInt32BigEndian(bytes), false);
    }
}
