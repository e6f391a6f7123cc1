using System.Net;
using TorBalancer.Primitives;

namespace TorBalancer.Routing;

// What a daemon that takes over needs to know of them: hosts hold an address for as long as they like.
internal sealed partial class VirtualNames
{
    /// <summary>A copy of what stands for something now, the one that was used last first; at most <see cref="Most"/>.</summary>
    /// <param name="since">A timestamp: only what was used, or given, then or later.</param>
    public IReadOnlyList<VirtualNameState> Export(long since = long.MinValue)
    {
        long now = time.GetTimestamp();
        lock (_lock)
        {
            return
            [
                .. _order.TakeWhile(one => one.Used >= since).Where(one => !IsOver(one)).Select(one => new VirtualNameState(one.Name)
                {
                    IPv4 = one.IPv4?.ToString(),
                    IPv6 = one.IPv6?.ToString(),
                    IdleMs = time.GetElapsedTime(one.Used, now).TotalMilliseconds,
                }),
            ];
        }
    }

    /// <summary>
    /// Goes on with what another process of ours has given, in its order. What is in none of our ranges, or no place is left for, is left
    /// out. For one that nobody has used yet; it may come again, with what was used since.
    /// </summary>
    public void Adopt(IReadOnlyList<VirtualNameState> states)
    {
        long now = time.GetTimestamp();
        lock (_lock)
        {
            foreach (var one in states.Reverse())
            {
                var entry = new Entry(one.Name) { Used = now - (long)(one.IdleMs / 1000 * time.TimestampFrequency) };
                (entry.IPv4, entry.IPv6) = (Own(one.IPv4), Own(one.IPv6));
                if ((entry.IPv4 ?? entry.IPv6) is null || IsOver(entry))
                    continue;
                Remove_NeedsLock(_names.GetValueOrDefault(one.Name));
                Remove_NeedsLock(entry.IPv4 is null ? null : _addresses.GetValueOrDefault(entry.IPv4));
                Remove_NeedsLock(entry.IPv6 is null ? null : _addresses.GetValueOrDefault(entry.IPv6));
                var node = _order.AddFirst(entry);
                _names.Add(one.Name, node);
                if (entry.IPv4 is { } v4)
                    _addresses[v4] = node;
                if (entry.IPv6 is { } v6)
                    _addresses[v6] = node;
            }

            while (_order.Count > most)
                Remove_NeedsLock(_order.Last);
        }
    }

    private IPAddress? Own(string? address) => AddressLiteral.TryParse(address, out var own) && Has(own) ? own : null;
}

/// <summary>A name and what stands for it.</summary>
/// <param name="Name">In canonical form.</param>
internal sealed record VirtualNameState(string Name)
{
    /// <summary>Null: none was asked for.</summary>
    public string? IPv4 { get; init; }

    /// <summary>Null: none was asked for.</summary>
    public string? IPv6 { get; init; }

    /// <summary>How long ago it was used last, milliseconds: no two processes share a clock's zero.</summary>
    public double IdleMs { get; init; }
}
