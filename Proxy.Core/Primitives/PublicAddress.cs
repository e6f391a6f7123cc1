using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Primitives;

/// <summary>
/// Tells addresses of the public network from those that mean something only here: exits refuse the latter, and the kernel
/// would deliver some of them on this very machine.
/// </summary>
internal static class PublicAddress
{
    /// <summary>
    /// False for "this network", private, shared (RFC 6598), loopback, link-local, multicast and reserved addresses, and for
    /// their IPv6 counterparts; as tor's tor_addr_is_internal, and multicast besides.
    /// </summary>
    public static bool Is(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return !(IPAddress.IsLoopback(address) || address.Equals(IPAddress.IPv6Any) || address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal
                || address.IsIPv6Multicast || address.IsIPv6SiteLocal);
        }

        Span<byte> b = stackalloc byte[4];
        address.TryWriteBytes(b, out _);
        return !(b[0] is 0 or 10 or 127 or >= 224
            || (b[0] == 100 && (b[1] & 0xC0) == 64)
            || (b[0] == 169 && b[1] == 254)
            || (b[0] == 172 && (b[1] & 0xF0) == 16)
            || (b[0] == 192 && b[1] == 168));
    }
}
