using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;

namespace TorBalancer.Authentication;

/// <summary>
/// How many wrong passwords a client address has sent, in all and for each user: token buckets that hold a minute's worth and fill in a
/// minute. Of IPv6 a /64 is one address, since whoever has one has all of it. Any thread may call.
/// </summary>
internal sealed class FailedLogins(TimeProvider time)
{
    /// <summary>Most buckets that are kept. Whoever has as many addresses gains nothing by having them forgotten.</summary>
    private const int MaxBuckets = 65_536;

    private const int FirstSweep = 1024;

    private readonly ConcurrentDictionary<Key, Bucket> _buckets = new();
    private readonly Lock _sweeping = new();
    private int _count;
    private int _sweepAt = FirstSweep;

    /// <summary>True when so many passwords of the client were wrong that nothing may be computed for it.</summary>
    public bool IsClientOver(in LoginPlace place) => IsOver(place, Key.OfClient(place));

    /// <summary>True when so many passwords for this user were wrong that none is looked at, not even the right one.</summary>
    public bool IsUserOver(in LoginPlace place, string user) => IsOver(place, Key.OfUser(place, user));

    /// <summary>How many more passwords of this client may be wrong, whoever's they are.</summary>
    public int LeftOf(in LoginPlace place) =>
        place.PerMinute == 0 ? int.MaxValue
        : _buckets.TryGetValue(Key.OfClient(place), out var bucket)
            ? bucket.Left(time.GetTimestamp(), IntervalOf(place), place.PerMinute)
            : place.PerMinute;

    /// <summary>True when what one of them gets wrong counts against the other, too.</summary>
    public static bool AreOneClient(in LoginPlace one, in LoginPlace other) => Key.OfClient(one) == Key.OfClient(other);

    /// <summary>Until a password for this user is looked at again; zero: now.</summary>
    public TimeSpan WaitOf(in LoginPlace place, string user)
    {
        if (place.PerMinute == 0)
            return TimeSpan.Zero;
        long now = time.GetTimestamp(), ready = now, interval = IntervalOf(place);
        foreach (var key in (ReadOnlySpan<Key>)[Key.OfClient(place), Key.OfUser(place, user)])
        {
            if (_buckets.TryGetValue(key, out var bucket))
                ready = Math.Max(ready, bucket.NextAt(interval, place.PerMinute));
        }

        return time.GetElapsedTime(now, ready);
    }

    /// <summary>Counts a wrong password.</summary>
    public void Take(in LoginPlace place, string user)
    {
        if (place.PerMinute == 0)
            return;
        long interval = IntervalOf(place);
        long now = time.GetTimestamp();
        BucketOf(Key.OfClient(place)).Take(now, interval, place.PerMinute);
        BucketOf(Key.OfUser(place, user)).Take(now, interval, place.PerMinute);
    }

    private bool IsOver(in LoginPlace place, Key key) =>
        place.PerMinute > 0 && Volatile.Read(ref _count) > 0 && _buckets.TryGetValue(key, out var bucket)
            && bucket.Left(time.GetTimestamp(), IntervalOf(place), place.PerMinute) == 0;

    /// <summary>How long a token takes to come back, in the clock's own units.</summary>
    private long IntervalOf(in LoginPlace place) => time.TimestampFrequency * 60 / place.PerMinute;

    private Bucket BucketOf(Key key)
    {
        if (_buckets.TryGetValue(key, out var bucket))
            return bucket;
        if (Volatile.Read(ref _count) >= Volatile.Read(ref _sweepAt))
            Sweep();
        var added = new Bucket();
        bucket = _buckets.GetOrAdd(key, added);
        if (ReferenceEquals(bucket, added))
            Interlocked.Increment(ref _count);
        return bucket;
    }

    /// <summary>Forgets those that are full again, and all of them when there are too many for that to help.</summary>
    private void Sweep()
    {
        lock (_sweeping)
        {
            if (_count < _sweepAt)
                return;
            long now = time.GetTimestamp();
            foreach (var (key, bucket) in _buckets)
            {
                if (bucket.IsFull(now) && _buckets.TryRemove(key, out _))
                    Interlocked.Decrement(ref _count);
            }

            if (_count >= MaxBuckets)
            {
                _buckets.Clear();
                Volatile.Write(ref _count, 0);
            }

            Volatile.Write(ref _sweepAt, Math.Clamp(_count * 2, FirstSweep, MaxBuckets));
        }
    }

    /// <param name="Network">The client's address, or its /64; 0 of a unix socket.</param>
    /// <param name="Who">Listener and user.</param>
    private readonly record struct Key(UInt128 Network, int Who)
    {
        public static Key OfClient(in LoginPlace place) => new(NetworkOf(place.Client), HashCode.Combine(place.Listener));

        public static Key OfUser(in LoginPlace place, string user) =>
            new(NetworkOf(place.Client), HashCode.Combine(place.Listener, user));

        private static UInt128 NetworkOf(IPAddress? client)
        {
            Span<byte> bytes = stackalloc byte[16];
            if (client is null || !client.TryWriteBytes(bytes, out int length))
                return 0;
            return length == 4
                ? BinaryPrimitives.ReadUInt32BigEndian(bytes) | ((UInt128)1 << 32)
                : (UInt128)BinaryPrimitives.ReadUInt64BigEndian(bytes) << 64;
        }
    }

    /// <summary>One number: when it will be full again. Each missing token puts that off by the time that one takes.</summary>
    private sealed class Bucket
    {
        private long _fullAt;

        public bool IsFull(long now) => Volatile.Read(ref _fullAt) <= now;

        /// <summary>When there is a token.</summary>
        public long NextAt(long interval, int size) => Volatile.Read(ref _fullAt) - ((size - 1) * interval);

        /// <summary>Whole tokens.</summary>
        public int Left(long now, long interval, int size)
        {
            long missing = Math.Max(0, Volatile.Read(ref _fullAt) - now);
            return Math.Max(0, size - (int)Math.Min(size, (missing + interval - 1) / interval));
        }

        /// <summary>An empty bucket stays empty: whoever goes on for hours is not shut out for hours.</summary>
        public void Take(long now, long interval, int size)
        {
            long before = Volatile.Read(ref _fullAt);
            while (true)
            {
                long after = Math.Min(Math.Max(before, now) + interval, now + (size * interval));
                long seen = Interlocked.CompareExchange(ref _fullAt, after, before);
                if (seen == before)
                    return;
                before = seen;
            }
        }
    }
}
