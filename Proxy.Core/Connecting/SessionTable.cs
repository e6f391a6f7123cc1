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
    private readonly Dictionary<string, long> _rotated = new(StringComparer.Ordinal);
    private long _lastEpoch;
    private long _rotatedAll;
    private volatile bool _anyRotated;

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
        bool unlimited = parameters.SessionLifetime is null && parameters.RotateAfterUses is null;
        if (unlimited && !_anyRotated)
            return 0;
        long now = time.GetTimestamp();
        lock (_lock)
        {
            long rotated = Math.Max(_rotatedAll, _rotated.GetValueOrDefault(parameters.Session ?? ""));
            if (unlimited)
                return rotated;
            if (!_entries.TryGetValue(key, out var entry))
            {
                if (_entries.Count >= capacity)
                    RemoveOldest_NeedsLock();
                entry = new Entry { Epoch = ++_lastEpoch, Started = now };
                _entries.Add(key, entry);
            }
            else if (time.GetElapsedTime(entry.Started, now) >= parameters.SessionLifetime || entry.Uses >= parameters.RotateAfterUses || entry.Epoch < rotated)
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

    /// <summary>
    /// Gives a session new circuits from its next connection on, for everybody who uses it by this name; open streams live
    /// on. It works at once and as often as one likes, because tor is not asked for anything (no NEWNYM).
    /// </summary>
    /// <param name="session">The id as in <c>session-ID</c>.</param>
    public void Rotate(string session)
    {
        lock (_lock)
        {
            // Forgetting a rotation would bring an old circuit back; so when there are too many, all sessions move on instead.
            if (_rotated.Count >= capacity && !_rotated.ContainsKey(session))
            {
                _rotated.Clear();
                _rotatedAll = ++_lastEpoch;
            }

            _rotated[session] = ++_lastEpoch;
            _anyRotated = true;
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
