using System.Net;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// The addresses of recent peers: most clients of a proxy are a few hosts that come again and again, and an idle tunnel is to
/// take little. Threads may use it side by side: what one overwrites the other makes anew.
/// </summary>
internal sealed class RecentAddresses
{
    private const int Kept = 64;

    private readonly IPAddress?[] _recent = new IPAddress?[Kept];

    /// <summary>The address in a sockaddr; null for a family without one.</summary>
    public IPAddress? Get(ReadOnlySpan<byte> address)
    {
        // family 2 | port 2 | address 4
        const int start = 4, length = 4;
        if (address.Length < start + length || BitConverter.ToUInt16(address) != Libc.AfInet)
            return SocketAddresses.Parse(address)?.Address;
        var octets = address.Slice(start, length);
        uint mixed = BitConverter.ToUInt32(octets) * 0x9E3779B1;
        ref var place = ref _recent[mixed >> 26];
        Span<byte> known = stackalloc byte[length];
        if (place is { } recent && recent.TryWriteBytes(known, out _) && known.SequenceEqual(octets))
            return recent;
        return place = SocketAddresses.Parse(address)!.Address;
    }
}
