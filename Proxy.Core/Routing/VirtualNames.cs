using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Routing;

/// <summary>
/// Names that have no address, onion services', and the addresses that stand for them until their clients connect there. Any thread.
/// An address is drawn by chance out of a private range; it stands for its name until it has not been used for
/// <see cref="Lifetime"/>, or until more than <see cref="Most"/> others have been used since.
/// </summary>
/// <remarks>Clients share them, as those of tor's VirtualAddrNetwork: whoever connects must not have asked from the same address.</remarks>
/// <param name="most">Names that are kept.</param>
internal sealed partial class VirtualNames(DnsOptions options, TimeProvider time, int most = VirtualNames.Most)
{
    /// <summary>Names that are kept.</summary>
    public const int Most = 16_384;

    /// <summary>Longer than any client should keep an answer: browsers do for a minute, some programs until they end.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    /// <summary>Draws until a free one is found: a range is much wider than what is kept.</summary>
    private const int Draws = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<IPAddress, LinkedListNode<Entry>> _addresses = [];

    // The one that was used last comes first.
    private readonly LinkedList<Entry> _order = new();
    private readonly IPNetwork[] _ranges = options.Address is null ? [] : [.. options.VirtualAddresses];

    /// <summary>Names that have addresses now.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _order.Count;
        }
    }

    /// <summary>True for an address that stands for a name, or has or could. It is nobody's address otherwise.</summary>
    public bool Has(IPAddress address) => RangeOf(address) is not null;

    /// <summary>The address that stands for a name from now on; null: there is no range of this family, or none is free in it.</summary>
    /// <param name="name">In canonical form.</param>
    public IPAddress? Give(string name, AddressFamily family)
    {
        foreach (var range in _ranges)
        {
            if (range.BaseAddress.AddressFamily == family)
            {
                lock (_lock)
                    return Give_NeedsLock(name, range);
            }
        }

        return null;
    }

    /// <summary>The name that an address stands for; null: none, or none any more.</summary>
    public string? Find(IPAddress address)
    {
        lock (_lock)
        {
            if (!_addresses.TryGetValue(address, out var node))
                return null;
            if (IsOver(node.Value))
            {
                Remove_NeedsLock(node);
                return null;
            }

            Use_NeedsLock(node);
            return node.Value.Name;
        }
    }

    private IPNetwork? RangeOf(IPAddress address)
    {
        foreach (var range in _ranges)
        {
            if (range.BaseAddress.AddressFamily == address.AddressFamily && range.Contains(address))
                return range;
        }

        return null;
    }

    private IPAddress? Give_NeedsLock(string name, IPNetwork range)
    {
        if (!_names.TryGetValue(name, out var node))
        {
            while (_order.Last is { } last && (_order.Count >= most || IsOver(last.Value)))
                Remove_NeedsLock(last);
            node = _order.AddFirst(new Entry(name));
            _names.Add(name, node);
        }

        Use_NeedsLock(node);
        bool isIPv6 = range.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6;
        if ((isIPv6 ? node.Value.IPv6 : node.Value.IPv4) is { } known)
            return known;
        for (int i = 0; i < Draws; i++)
        {
            var address = Draw(range);
            if (!_addresses.TryAdd(address, node))
                continue;
            if (isIPv6)
                node.Value.IPv6 = address;
            else
                node.Value.IPv4 = address;
            return address;
        }

        return null;
    }

    private void Use_NeedsLock(LinkedListNode<Entry> node)
    {
        node.Value.Used = time.GetTimestamp();
        _order.Remove(node);
        _order.AddFirst(node);
    }

    /// <param name="node">Null: there is nothing to remove.</param>
    private void Remove_NeedsLock(LinkedListNode<Entry>? node)
    {
        if (node is null)
            return;
        _order.Remove(node);
        _names.Remove(node.Value.Name);
        if (node.Value.IPv4 is { } v4)
            _addresses.Remove(v4);
        if (node.Value.IPv6 is { } v6)
            _addresses.Remove(v6);
    }

    private bool IsOver(Entry entry) => time.GetElapsedTime(entry.Used) >= Lifetime;

    /// <summary>Any of the range whose last octet is neither 0 nor 255: such addresses look special to some.</summary>
    private static IPAddress Draw(IPNetwork range)
    {
        byte[] bytes = range.BaseAddress.GetAddressBytes(), drawn = RandomNumberGenerator.GetBytes(bytes.Length);
        int whole = range.PrefixLength / 8, rest = 0xFF >> (range.PrefixLength % 8);
        if (whole < bytes.Length)
            bytes[whole] |= (byte)(drawn[whole] & rest);
        for (int i = whole + 1; i < bytes.Length; i++)
            bytes[i] = drawn[i];
        bytes[^1] = (byte)(1 + RandomNumberGenerator.GetInt32(254));
        return new IPAddress(bytes);
    }

    private sealed class Entry(string name)
    {
        public string Name => name;

        public IPAddress? IPv4 { get; set; }

        public IPAddress? IPv6 { get; set; }

        /// <summary>A timestamp.</summary>
        public long Used { get; set; }
    }
}
