using System.Net;

namespace TorBalancer.Primitives;

/// <summary>
/// Tells addresses of the public network from those that mean something only here: tor and its exits refuse the latter, and the
/// kernel would deliver some of them on this very machine. The only list of its kind; <see cref="LocalName"/> is the one of names.
/// </summary>
internal static class PublicAddress
{
    /// <summary>
    /// "This network", private, shared (RFC 6598), loopback, link-local, protocols' (192.0.0.0/24), multicast, reserved and broadcast
    /// addresses (RFC 6890), and their IPv6 counterparts: unique local, link-local with site-local behind it, multicast, and ::/8 with ::,
    /// ::1, IPv4-compatible and locally translated addresses. All clouds have their metadata services within these but Azure, whose
    /// address is public and leads to its host from each of its machines.
    /// </summary>
    private static readonly IPNetwork[] Blocks =
    [
        IPNetwork.Parse("0.0.0.0/8"), IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("100.64.0.0/10"), IPNetwork.Parse("127.0.0.0/8"),
        IPNetwork.Parse("168.63.129.16/32"), IPNetwork.Parse("169.254.0.0/16"), IPNetwork.Parse("172.16.0.0/12"),
        IPNetwork.Parse("192.0.0.0/24"), IPNetwork.Parse("192.168.0.0/16"),
        IPNetwork.Parse("224.0.0.0/3"),
        IPNetwork.Parse("::/8"), IPNetwork.Parse("fc00::/7"), IPNetwork.Parse("fe80::/9"), IPNetwork.Parse("ff00::/8"),
    ];

    /// <summary>
    /// What carries an IPv4 address right behind its prefix, and is what that is: IPv4-mapped (RFC 4291, section 2.5.5.2), NAT64
    /// (RFC 6052, section 2.1), 6to4 (RFC 3056, section 2).
    /// </summary>
    private static readonly IPNetwork[] Carriers =
    [
        IPNetwork.Parse("::ffff:0:0/96"), IPNetwork.Parse("64:ff9b::/96"), IPNetwork.Parse("2002::/16"),
    ];

    /// <summary>
    /// False for an address in one of these blocks; as tor's tor_addr_is_internal and the exits' ExitPolicyRejectPrivate, with
    /// what TCP cannot reach besides. Addresses for documentation (RFC 5737) are nobody's, here or elsewhere: what an exit says
    /// of them is true.
    /// </summary>
    public static bool Is(IPAddress address)
    {
        if (CarriedBy(address) is { } carried)
            return Is(carried);
        foreach (var block in Blocks)
        {
            if (Contains(block, address))
                return false;
        }

        return true;
    }

    /// <summary>The IPv4 address that an address of IPv6 carries (NAT64, 6to4), and leads to; null: none.</summary>
    public static IPAddress? CarriedBy(IPAddress address)
    {
        foreach (var carrier in Carriers)
        {
            if (Contains(carrier, address))
                return Carried(address, carrier.PrefixLength);
        }

        return null;
    }

    /// <summary>True when no address of the network is public, because it lies within one of the blocks that are not.</summary>
    public static bool IsNoneIn(IPNetwork network)
    {
        foreach (var carrier in Carriers)
        {
            if (Contains(carrier, network))
                return IsNoneIn(
                    new IPNetwork(
                        Carried(network.BaseAddress, carrier.PrefixLength), Math.Min(network.PrefixLength - carrier.PrefixLength, 32)));

            // Some of what it carries is public.
            if (Contains(network, carrier))
                return false;
        }

        foreach (var block in Blocks)
        {
            if (Contains(block, network))
                return true;
        }

        return false;
    }

    private static bool Contains(IPNetwork wide, IPNetwork narrow) =>
        wide.PrefixLength <= narrow.PrefixLength && Contains(wide, narrow.BaseAddress);

    /// <summary>
    /// By the bits: <see cref="IPNetwork.Contains"/> says of a network of IPv6 that it contains IPv4-mapped addresses that it does not.
    /// </summary>
    private static bool Contains(IPNetwork network, IPAddress address)
    {
        if (network.BaseAddress.AddressFamily != address.AddressFamily)
            return false;
        Span<byte> wanted = stackalloc byte[16], bytes = stackalloc byte[16];
        network.BaseAddress.TryWriteBytes(wanted, out _);
        address.TryWriteBytes(bytes, out _);
        int whole = network.PrefixLength / 8, rest = network.PrefixLength % 8;
        return bytes[..whole].SequenceEqual(wanted[..whole]) && (rest == 0 || (bytes[whole] ^ wanted[whole]) >> (8 - rest) == 0);
    }

    private static IPAddress Carried(IPAddress address, int prefix)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        return new IPAddress(bytes.Slice(prefix / 8, 4));
    }
}
