using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using TorBalancer.Protocols;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// The sessions that were used, and the epoch each is in. A new epoch means a new isolation token and so new circuits at
/// once, without disturbing anybody else. A session without limits has its epoch from its name alone, one with a life-time from its name
/// and the clock: these are remembered for views only, and being forgotten, or another process, changes nothing for them.
/// </summary>
/// <param name="capacity">Sessions with limits that are remembered, and as many without; the least recently used go first.</param>
internal sealed partial class SessionTable(TimeProvider time, int capacity = 10_000)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Session> _limited = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Session> _plain = new(StringComparer.Ordinal);

    // By name (for everybody who uses it) and by key (for one), which cannot be mistaken for each other: keys hold NULs.
    private readonly Dictionary<string, Rotation> _rotated = new(StringComparer.Ordinal);
    private long _lastEpoch;
    private long _lastId;
    private Rotation _rotatedAll;

    /// <summary>Sessions that are remembered.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _limited.Count + _plain.Count;
        }
    }

    /// <summary>
    /// Counts one use of the session and says which epoch it belongs to; 0 for one without limits that was never rotated.
    /// </summary>
    /// <param name="key">What makes the session one: user and session id.</param>
    public SessionUse Use(string key, UserParameters parameters)
    {
        string name = parameters.Session ?? "";
        bool isLimited = parameters.SessionLifetime is not null || parameters.RotateAfterUses is not null;
        var table = isLimited ? _limited : _plain;
        long now = time.GetTimestamp();
        var wall = time.GetUtcNow();
        lock (_lock)
        {
            table.TryGetValue(key, out var session);
            var (window, basis, begins) = Next_NeedsLock(session, name, key, parameters, wall);
            if (session is null)
            {
                if (table.Count >= capacity)
                    RemoveOldest_NeedsLock(table);
                session = new Session(string.Create(CultureInfo.InvariantCulture, $"s-{++_lastId}"), name, key);
                table.Add(key, session);
            }

            if (begins)
            {
                // What is counted is known to this process alone, and no number of it is used twice, so that a session that was forgotten
                // cannot get an old circuit back. Everything else follows from clock and name, here and elsewhere.
                Begin_NeedsLock(session, parameters.RotateAfterUses is null ? basis : NextEpoch_NeedsLock(), now);
                session.Base = basis;
            }

            session.Window = window;
            session.Uses++;
            session.LastUsed = now;
            session.Lifetime = parameters.SessionLifetime;
            session.MaxUses = parameters.RotateAfterUses;
            session.Port = parameters.Port;
            return new SessionUse(session, session.Epoch);
        }
    }

    /// <summary>
    /// The epoch that the next <see cref="Use"/> would belong to; it is not one. Null: an epoch that nobody had before.
    /// </summary>
    public long? Foresee(string key, UserParameters parameters)
    {
        bool isLimited = parameters.SessionLifetime is not null || parameters.RotateAfterUses is not null;
        var wall = time.GetUtcNow();
        lock (_lock)
        {
            (isLimited ? _limited : _plain).TryGetValue(key, out var session);
            var (_, basis, begins) = Next_NeedsLock(session, parameters.Session ?? "", key, parameters, wall);
            return !begins ? session!.Epoch : parameters.RotateAfterUses is null ? basis : null;
        }
    }

    /// <summary>
    /// Gives a session new circuits from its next connection on; open streams live on. It works at once and as often as one
    /// likes, because tor is not asked for anything (no NEWNYM). By its name it is for everybody who uses that name, by its
    /// id for one.
    /// </summary>
    /// <param name="nameOrId">NAME of <c>session-NAME</c>, or an id of <see cref="List"/>; names hold no "-", ids do.</param>
    /// <returns>How many sessions it concerned; 0: none is known by that.</returns>
    public int Rotate(string nameOrId)
    {
        lock (_lock)
        {
            var found = _limited.Values.Concat(_plain.Values).Where(one => one.Name == nameOrId || one.Id == nameOrId).ToArray();
            if (found.Length == 0)
                return 0;
            string mark = found[0].Id == nameOrId ? found[0].Key : nameOrId;

            // Forgetting a rotation would bring an old circuit back; so when there are too many, all sessions move on instead.
            if (_rotated.Count >= capacity && !_rotated.ContainsKey(mark))
            {
                _rotated.Clear();
                _rotatedAll = NextRotation_NeedsLock(0);
            }

            // A clock that was ahead must not make a later life-time of the one that holds.
            _rotated[mark] = NextRotation_NeedsLock(found.Max(static one => one.Window));
            foreach (var session in found)
                session.IsRotated = true;
            return found.Length;
        }
    }

    /// <summary>Copies, the most recently used first.</summary>
    public IReadOnlyList<SessionInfo> List()
    {
        long now = time.GetTimestamp();
        var wall = time.GetUtcNow();
        lock (_lock)
            return
            [
                .. _limited.Values.Concat(_plain.Values)
                    .OrderByDescending(static one => one.LastUsed)
                    .Select(one => InfoOf_NeedsLock(one, now, wall, time)),
            ];
    }

    /// <summary>What the next use of a session goes by: its life-time, what its epoch follows from, and whether it begins anew.</summary>
    private (long Window, long Basis, bool Begins) Next_NeedsLock(
        Session? session, string name, string key, UserParameters parameters, DateTimeOffset wall)
    {
        var rotation = RotationOf_NeedsLock(name, key);
        long window = parameters.SessionLifetime is { } lifetime ? WindowOf(key, lifetime, wall) : 0;
        if (session is not null && session.Lifetime == parameters.SessionLifetime)
            window = NotBefore(session.Window, window, parameters.SessionLifetime);

        // A rotation holds for the life-time in which it was made, however far ahead the clock was then; where there is none, for ever.
        bool isRotationOver = window > rotation.At || time.GetElapsedTime(rotation.Since) >= parameters.SessionLifetime;
        long basis = isRotationOver ? window : rotation.Epoch;
        return (window, basis, session is null || session.Base != basis || session.Uses >= parameters.RotateAfterUses);
    }

    private Rotation RotationOf_NeedsLock(string name, string key)
    {
        var latest = _rotatedAll;
        if (_rotated.TryGetValue(name, out var byName) && byName.Epoch > latest.Epoch)
            latest = byName;
        if (_rotated.TryGetValue(key, out var byKey) && byKey.Epoch > latest.Epoch)
            latest = byKey;
        return latest;
    }

    /// <param name="window">The life-time in which it is made, as the sessions know it.</param>
    private Rotation NextRotation_NeedsLock(long window) =>
        new(NextEpoch_NeedsLock(), Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), window), time.GetTimestamp());

    /// <summary>Far above every time, and where no other process has begun: others may make tokens with the same key.</summary>
    private long NextEpoch_NeedsLock()
    {
        const long farAbove = 1L << 62;
        if (_lastEpoch == 0)
        {
            long chance = BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long)));
            _lastEpoch = farAbove | (chance & ((farAbove / 2) - 1));
        }

        return ++_lastEpoch;
    }

    /// <summary>
    /// When the life-time began that holds at that moment, in Unix milliseconds: life-times follow each other from a moment that the
    /// session's name decides, so that not all change at once, and so that whoever knows name and time knows it.
    /// </summary>
    private static long WindowOf(string key, TimeSpan lifetime, DateTimeOffset wall)
    {
        long length = (long)lifetime.TotalMilliseconds, at = wall.ToUnixTimeMilliseconds();
        return at - ((at + (long)(StableHash.Of(key) % (ulong)length)) % length);
    }

    /// <summary>A clock that is set back by less than a life-time does not bring the one back that has ended, nor its circuit.</summary>
    private static long NotBefore(long known, long window, TimeSpan? lifetime) =>
        lifetime is { } length && known > window && known - window <= (long)length.TotalMilliseconds ? known : window;

    private static SessionInfo InfoOf_NeedsLock(Session session, long now, DateTimeOffset wall, TimeProvider time)
    {
        var age = time.GetElapsedTime(session.Started, now);
        var left = session.Ends - wall;
        return new SessionInfo(
            session.Id, session.Name, session.WorkerId, age, time.GetElapsedTime(session.LastUsed, now), session.Uses,
            left < TimeSpan.Zero ? TimeSpan.Zero : left, session.MaxUses - session.Uses, session.Port);
    }

    private static void Begin_NeedsLock(Session session, long epoch, long now)
    {
        session.Epoch = epoch;
        session.Started = now;
        session.Uses = 0;
        session.IsRotated = false;
    }

    /// <summary>Makes room by a sixteenth, least recently used first, so that a full table is not sorted for every new session.</summary>
    private void RemoveOldest_NeedsLock(Dictionary<string, Session> table)
    {
        foreach (var (key, _) in table.OrderBy(static pair => pair.Value.LastUsed).Take(Math.Max(1, capacity / 16)).ToArray())
            table.Remove(key);
    }

    /// <param name="Epoch">0: there was none.</param>
    /// <param name="At">When, in Unix milliseconds.</param>
    /// <param name="Since">The same, a timestamp.</param>
    private readonly record struct Rotation(long Epoch, long At, long Since);
}
