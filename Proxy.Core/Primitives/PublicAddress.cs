using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Primitives;

/// <summary>
/// Tells addresses of the public network from those that mean something only here: tor and its exits refuse the latter, and the
/// kernel would deliver some of them on this very machine. The only list of its kind; <see cref="LocalName"/> is the one of names.
/// </summary>
internal static class PublicAddress
{
    /// <summary>
    /// False for "this network", private, shared (RFC 6598), loopback, link-local, multicast, reserved and broadcast addresses
    /// (RFC 6890), and for their IPv6 counterparts; as tor's tor_addr_is_internal and the exits' ExitPolicyRejectPrivate, with
    /// what TCP cannot reach besides. An IPv6 address that carries an IPv4 address is what that is. Addresses for
    /// documentation (RFC 5737) are nobody's, here or elsewhere: what an exit says of them is true.
    /// </summary>
    public static bool Is(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        return address.AddressFamily == AddressFamily.InterNetworkV6 ? IsPublic6(bytes[..length]) : IsPublic4(bytes[..length]);
    }

    /// <summary>True when no address of the network is public, because it lies within one of the blocks that are not.</summary>
    public static bool IsNoneIn(IPNetwork network)
    {
        // 10.0.0.0/8 and fc00::/7 are the widest blocks. What is wider spans public addresses, whatever its two ends are.
        bool is6 = network.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6;
        if (network.PrefixLength < (is6 ? 7 : 8))
            return false;
        byte[] last = network.BaseAddress.GetAddressBytes();
        for (int bit = network.PrefixLength; bit < last.Length * 8; bit++)
            last[bit / 8] |= (byte)(0x80 >> (bit % 8));
        return !Is(network.BaseAddress) && !Is(new IPAddress(last));
    }

    private static bool IsPublic4(ReadOnlySpan<byte> b) =>
        !(b[0] is 0 or 10 or 127 or >= 224
            || (b[0] == 100 && (b[1] & 0xC0) == 64)
            || (b[0] == 169 && b[1] == 254)
            || (b[0] == 172 && (b[1] & 0xF0) == 16)
            || (b[0] == 192 && b[1] == 168));

    private static bool IsPublic6(ReadOnlySpan<byte> b)
    {
        // 64:ff9b::/96, NAT64 (RFC 6052, section 2.1); the rest of ::/8 holds ::, ::1, IPv4-compatible and locally translated addresses.
        if (b[0] == 0)
            return b[..12].SequenceEqual(Nat64) && IsPublic4(b[12..]);

        // 2002::/16, 6to4 (RFC 3056, section 2)
        if (b[0] == 0x20 && b[1] == 0x02)
            return IsPublic4(b[2..6]);

        // fc00::/7 unique local, fe80::/10 link-local, fec0::/10 site-local, ff00::/8 multicast
        return (b[0] & 0xFE) != 0xFC && b[0] != 0xFF && !(b[0] == 0xFE && b[1] >= 0x80);
    }

    private static ReadOnlySpan<byte> Nat64 => [0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0];
}
