using TorBalancer.Protocols;

namespace TorBalancer.Connecting;

/// <summary>
/// Sessions with a life-time or a use count, and the epoch each is in. A new epoch means a new isolation token and so
/// new circuits at once, without disturbing anybody else. Sessions without a limit need no entry.
/// </summary>
internal sealed class SessionTable(TimeProvider time, int capacity = 10_000)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private long _lastEpoch;

    public int Count
    {
        get
        {
            lock (_lock)
                return _entries.Count;
        }
    }

    /// <summary>Counts one use of the session and says which epoch it belongs to; 0 for a session without limits.</summary>
    /// <param name="key">What makes the session one: user and session id.</param>
    public long Use(string key, UserParameters parameters)
    {
        if (parameters.SessionLifetime is null && parameters.RotateAfterUses is null)
            return 0;
        long now = time.GetTimestamp();
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out var entry))
            {
                if (_entries.Count >= capacity)
                    RemoveOldest_NeedsLock();
                entry = new Entry { Epoch = ++_lastEpoch, Started = now };
                _entries.Add(key, entry);
            }
            else if (time.GetElapsedTime(entry.Started, now) >= parameters.SessionLifetime || entry.Uses >= parameters.RotateAfterUses)
            {
                // Epochs are never used twice, so that a session that was forgotten cannot get an old circuit back.
                entry.Epoch = ++_lastEpoch;
                entry.Started = now;
                entry.Uses = 0;
            }

            entry.Uses++;
            entry.LastUsed = now;
            return entry.Epoch;
        }
    }

    /// <summary>Makes room by a sixteenth, least recently used first, so that a full table is not sorted for every new session.</summary>
    private void RemoveOldest_NeedsLock()
    {
        foreach (var (key, _) in _entries.OrderBy(static pair => pair.Value.LastUsed).Take(Math.Max(1, capacity / 16)).ToArray())
            _entries.Remove(key);
    }

    private sealed class Entry
    {
        public long Epoch;
        public long Started;
        public long LastUsed;
        public int Uses;
    }
}
