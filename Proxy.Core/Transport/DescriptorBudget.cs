namespace TorBalancer.Transport;

/// <summary>
/// How many file descriptors clients may use, so that some are always left for everything else: the runtime aborts the whole
/// process when it cannot open a pipe for a new thread. A client is promised its two (its own connection and the worker's)
/// before it is accepted; whoever gets no promise waits in the kernel's queue, and is told as soon as somebody leaves.
/// </summary>
/// <remarks>
/// Two things keep the promise. Promises are counted against what the process had open besides them. And the kernel always
/// gives out the lowest free number (open(2)): a socket of a client whose number lies in the reserve proves that more is open
/// than was thought, so it is closed at once. Numbers of the reserve never belong to traffic.
/// </remarks>
internal sealed class DescriptorBudget
{
    /// <summary>Descriptors that are kept at least; of a large limit a twentieth is.</summary>
    public const int LeastReserve = 64;

    /// <summary>A client's connection, and the one to its worker.</summary>
    public const int OfAClient = 2;

    // Assemblies that the first connections, probes and fetches load, where they are not all in one file: 25 were measured.
    private const int Unseen = 32;

    /// <summary>What others closed is noticed after this time, when no client left meanwhile.</summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>The same where somebody gives places back, which is so many at a time: all of them may have been taken by now.</summary>
    public static readonly TimeSpan PressInterval = TimeSpan.FromMilliseconds(100);

    private readonly IOpenDescriptors _process;
    private long _measuredAt;
    private readonly Lock _lock = new();
    private readonly List<Func<int>> _open = [];
    private readonly List<Func<bool>> _pressed = [];
    private TaskCompletionSource? _room;
    private int _waiting;
    private int _promised;
    private int _allowed;
    private int _others;
    private int _usual;

    public DescriptorBudget(IOpenDescriptors process)
    {
        _process = process;
        Settle();
    }

    /// <summary>RLIMIT_NOFILE as it is now.</summary>
    public int Limit { get; private set; }

    /// <summary>Kept for all that is not traffic.</summary>
    public int Reserve { get; private set; }

    /// <summary>Clients that can be carried at one time.</summary>
    public int MostClients => Math.Max(0, Volatile.Read(ref _allowed)) / OfAClient;

    /// <summary>Promised to clients now.</summary>
    public int Promised => Volatile.Read(ref _promised);

    /// <summary>Clients wait for descriptors: what can be done without is given back.</summary>
    public bool IsWaitedFor => Volatile.Read(ref _waiting) != 0;

    /// <summary>Those that have sent FIN and wait for an answer: they leave first.</summary>
    public FinishedClients Finished { get; } = new();

    /// <summary>
    /// The first number that traffic must not have, that the admin API must not have, that nothing but the runtime must have.
    /// </summary>
    private int TrafficEnd => Limit - Reserve;

    private int ServiceEnd => Limit - (Reserve * 3 / 4);

    private int ProbeEnd => Limit - (Reserve / 2);

    /// <summary>Without a bound.</summary>
    public static DescriptorBudget Unlimited() => new(new NoLimit());

    /// <summary>Adds those that an engine has open for traffic, and what it does to give some back when they run out.</summary>
    public void Add(Func<int> open, Action pressed)
    {
        lock (_lock)
            _open.Add(open);
        WhenPressed(() =>
        {
            pressed();
            return false;
        });
    }

    /// <summary>
    /// Adds what is done to give some back when they run out, on any thread and without waiting. True: a client's will come back soon.
    /// </summary>
    /// <returns>Takes it out again.</returns>
    public IDisposable WhenPressed(Func<bool> pressed)
    {
        lock (_lock)
            _pressed.Add(pressed);
        return new Pressed(this, pressed);
    }

    /// <summary>Promises so many; whoever gets true gives them back with <see cref="Return"/>.</summary>
    public bool TryTake(int count) => TryTake(count, Volatile.Read(ref _allowed));

    /// <summary>For what saves time and can be done without: none of the last eighth.</summary>
    public bool TryTakeSpare(int count)
    {
        int allowed = Volatile.Read(ref _allowed);
        return TryTake(count, allowed - (allowed / 8));
    }

    public void Return(int count)
    {
        Interlocked.Add(ref _promised, -count);
        if (Volatile.Read(ref _waiting) != 0)
            Wake();
    }

    /// <summary>True when traffic may have this descriptor; otherwise it is to be closed, and fewer are promised from now on.</summary>
    public bool MayTrafficHave(int fd) => fd < TrafficEnd || !Exceeded(fd);

    /// <summary>As <see cref="MayTrafficHave"/> for the admin API, which must go on while clients wait: a quarter of the reserve.</summary>
    public bool MayServiceHave(int fd) => fd < ServiceEnd;

    /// <summary>The same for probes, and for what else decides over workers: a quarter more, which no request can take from them.</summary>
    public bool MayProbeHave(int fd) => fd < ProbeEnd;

    /// <summary>
    /// Returns when there may be room for another client, at the latest after <see cref="LookInterval"/>: descriptors that are
    /// not traffic's come back unseen, and the limit may have been raised (prlimit(1)).
    /// </summary>
    public async Task WaitAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        Task room;
        Func<bool>[] pressed;
        lock (_lock)
        {
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            room = _room.Task;
            pressed = [.. _pressed];

            // Before the look: whoever gives back after it sees that somebody waits.
            Interlocked.Exchange(ref _waiting, 1);
        }

        bool gives = false;
        if (HasRoom)
        {
            Wake();
        }
        else
        {
            // All of them, whatever the first gives.
            foreach (var press in pressed)
                gives |= press();
            if (!gives && !HasRoom)
                Finished.EndOldest();
        }

        var limit = gives ? PressInterval : LookInterval;
        await room.WaitAsync(limit, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // A look through all that is open: not for each press.
        long now = time.GetTimestamp();
        if (HasRoom || (gives && time.GetElapsedTime(_measuredAt, now) < LookInterval))
            return;
        _measuredAt = now;
        Measure();
    }

    /// <summary>Everything that is usually open is open now: the reserve is made by it.</summary>
    public void Settle()
    {
        _usual = _process.Count();
        Measure();
    }

    /// <summary>Looks at the limit, and at what is open besides traffic.</summary>
    public void Measure()
    {
        lock (_lock)
        {
            Limit = _process.Limit;
            if (Limit == int.MaxValue)
            {
                (_allowed, Reserve) = (int.MaxValue, Limit / 20);
                return;
            }

            _others = Math.Max(0, _process.Count() - OpenForTraffic_NeedsLock());
            Apply_NeedsLock();
        }
    }

    private bool HasRoom => Promised + OfAClient <= Volatile.Read(ref _allowed);

    private bool TryTake(int count, int most)
    {
        if (Interlocked.Add(ref _promised, count) <= most)
            return true;
        Return(count);
        return false;
    }

    private void Wake()
    {
        if (!HasRoom)
            return;
        TaskCompletionSource? room;
        lock (_lock)
        {
            _waiting = 0;
            room = _room;
            _room = null;
        }

        room?.TrySetResult();
    }

    /// <summary>All numbers below this one are taken, so at least as many are open.</summary>
    private bool Exceeded(int fd)
    {
        lock (_lock)
        {
            _others = Math.Max(_others, fd + 1 - OpenForTraffic_NeedsLock());
            Apply_NeedsLock();
        }

        return true;
    }

    private void Apply_NeedsLock()
    {
        // Where the limit is small, half of what the start has left over is for traffic.
        Reserve = Math.Min(Math.Max(LeastReserve, Limit / 20), Math.Max(0, Limit - _usual) / 2);
        int room = Math.Max(0, TrafficEnd - _others);

        // What has been loaded since is among the others now.
        int unseen = Math.Max(0, Unseen - Math.Max(0, _others - _usual));
        Volatile.Write(ref _allowed, room - Math.Min(unseen, room / 3));
    }

    private int OpenForTraffic_NeedsLock()
    {
        int open = 0;
        foreach (var count in _open)
            open += count();
        return open;
    }

    private sealed class Pressed(DescriptorBudget budget, Func<bool> pressed) : IDisposable
    {
        public void Dispose()
        {
            lock (budget._lock)
                budget._pressed.Remove(pressed);
        }
    }

    private sealed class NoLimit : IOpenDescriptors
    {
        public int Limit => int.MaxValue;

        public int Count() => 0;
    }
}
