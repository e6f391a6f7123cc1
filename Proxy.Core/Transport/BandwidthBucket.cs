namespace TorBalancer.Transport;

/// <summary>
/// Bytes a second that several connections share. Whoever wants to move some reserves them, and may when its turn has come: one after the
/// other in the order of asking, however many there are, so that nobody starves. Within any time no more move than the rate brings in it,
/// a quarter of a second's worth that a quiet time leaves, and one piece of each that has its turn. One atomic exchange for a piece.
/// </summary>
internal sealed class BandwidthBucket(TimeProvider time)
{
    /// <summary>What a quiet time leaves: so much of a second's bytes may move at once.</summary>
    private const double BurstSeconds = 0.25;

    private const int LeastPiece = 1024, MostPiece = 64 * 1024, PiecesASecond = 16;

    // When all that is reserved has been paid, a timestamp.
    private long _paidAt = long.MinValue / 2;
    private long _rate;

    /// <summary>Bytes a second, both ways together; 0: no limit. May change at any time.</summary>
    public long Rate
    {
        get => Volatile.Read(ref _rate);
        set
        {
            long old = Interlocked.Exchange(ref _rate, value);
            if (old > 0 && old != value)
                PayBy(old, value);
        }
    }

    /// <summary>What is reserved at one time: small enough that others have their turn soon, and large enough to be spliced.</summary>
    public int Piece => Rate is > 0 and var rate ? (int)Math.Clamp(rate / PiecesASecond, LeastPiece, MostPiece) : MostPiece;

    /// <summary>True when nothing is reserved and all of the burst is there.</summary>
    public bool IsFull(long now) => Volatile.Read(ref _paidAt) <= now - Ticks(BurstSeconds);

    /// <summary>Reserves bytes; they may move from the moment that is returned, a timestamp.</summary>
    public long Reserve(int bytes, long now)
    {
        long rate = Rate;
        if (rate <= 0)
            return now;
        long cost = Cost(bytes, rate), before = Volatile.Read(ref _paidAt);
        while (true)
        {
            long from = Math.Max(before, now - Ticks(BurstSeconds));
            long found = Interlocked.CompareExchange(ref _paidAt, from + cost, before);
            if (found == before)
                return from;
            before = found;
        }
    }

    /// <summary>Gives back what was reserved and has not moved.</summary>
    public void Return(int bytes)
    {
        if (Rate is > 0 and var rate)
            Interlocked.Add(ref _paidAt, -Cost(bytes, rate));
    }

    /// <summary>What is reserved are bytes: at another rate they are paid sooner, or later.</summary>
    private void PayBy(long old, long rate)
    {
        long now = time.GetTimestamp(), paid = Volatile.Read(ref _paidAt);
        while (paid > now)
        {
            long after = rate <= 0 ? now : now + (long)((double)(paid - now) * old / rate);
            long found = Interlocked.CompareExchange(ref _paidAt, after, paid);
            if (found == paid)
                return;
            paid = found;
        }
    }

    private long Cost(int bytes, long rate) => (long)Math.Ceiling((double)bytes / rate * time.TimestampFrequency);

    private long Ticks(double seconds) => (long)(seconds * time.TimestampFrequency);
}

/// <summary>The buckets that the bytes of one connection come out of: its user's, its client's, its listener's.</summary>
internal sealed class BandwidthPace(TimeProvider time, params BandwidthBucket[] buckets)
{
    /// <summary>Bytes to reserve at one time.</summary>
    public int Piece => buckets.Min(static bucket => bucket.Piece);

    /// <summary>Reserves so many in all of them: they may move when the time that is returned is over.</summary>
    /// <param name="due">To ask again by <see cref="Until"/>.</param>
    public void Reserve(int bytes, out long due)
    {
        long now = time.GetTimestamp();
        due = now;
        foreach (var bucket in buckets)
            due = Math.Max(due, bucket.Reserve(bytes, now));
    }

    public void Return(int bytes)
    {
        if (bytes <= 0)
            return;
        foreach (var bucket in buckets)
            bucket.Return(bytes);
    }

    /// <summary>How long it is until then; zero or less: it has come.</summary>
    public TimeSpan Until(long due) => time.GetElapsedTime(time.GetTimestamp(), due);

    /// <summary>Reserves so many and returns when they may move.</summary>
    public ValueTask WaitAsync(int bytes, CancellationToken cancellationToken)
    {
        Reserve(bytes, out long due);
        var wait = Until(due);
        return wait <= TimeSpan.Zero ? ValueTask.CompletedTask : new ValueTask(Task.Delay(wait, time, cancellationToken));
    }
}
