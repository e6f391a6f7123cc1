using System.Net;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Connecting;

/// <summary>Whose answer for whom: another worker's exits see other addresses, and another owner must not see ours.</summary>
internal readonly record struct LinkNameKey(string Worker, string Token, string Name);

/// <summary>Addresses that workers gave, for as long as they said, within bounds.</summary>
/// <param name="longest">The longest that an answer is kept; zero: none is.</param>
internal sealed class LinkNameCache(TimeProvider time, Live<TimeSpan> longest, int capacity = 4096)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<LinkNameKey, Entry> _entries = [];

    public int Count
    {
        get
        {
            lock (_lock)
                return _entries.Count;
        }
    }

    public IPAddress? Find(LinkNameKey key)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out var entry))
                return null;
            if (time.GetElapsedTime(entry.Kept) < entry.Life)
                return entry.Address;
            _entries.Remove(key);
            return null;
        }
    }

    public void Keep(LinkNameKey key, IPAddress address, TimeSpan timeToLive)
    {
        var most = longest.Value;
        var life = timeToLive < most ? timeToLive : most;
        if (life <= TimeSpan.Zero)
            return;
        lock (_lock)
        {
            if (_entries.Count >= capacity && !_entries.ContainsKey(key))
                MakeRoom_NeedsLock();
            _entries[key] = new Entry(address, time.GetTimestamp(), life);
        }
    }

    /// <summary>
    /// What is over goes; if nothing is, a sixteenth of all, the oldest first, so that a full table is not sorted for every name.
    /// </summary>
    private void MakeRoom_NeedsLock()
    {
        var over = _entries.Where(pair => time.GetElapsedTime(pair.Value.Kept) >= pair.Value.Life)
            .Select(static pair => pair.Key)
            .ToArray();
        var gone = over.Length > 0
            ? over
            : _entries.OrderBy(static pair => pair.Value.Kept).Take(Math.Max(1, capacity / 16)).Select(static pair => pair.Key).ToArray();
        foreach (var key in gone)
            _entries.Remove(key);
    }

    private readonly record struct Entry(IPAddress Address, long Kept, TimeSpan Life);
}
