namespace TorBalancer.Server;

/// <summary>
/// Whether there is memory for more clients, where the process has a limit. The runtime keeps its heap below that by itself,
/// but not what the kernel holds for each connection, which counts as well. Looked at once for many clients.
/// </summary>
internal sealed class MemoryRoom(MemoryGroup? group, Action collect)
{
    /// <summary>Clients that are accepted between two looks.</summary>
    public const int ClientsInALook = 16;

    /// <summary>Clients that are always taken: a limit that does not even allow these is one that nobody can keep.</summary>
    public const int LeastClients = 64;

    /// <summary>
    /// Bytes that are kept for those that were just accepted and for buffers, which come and go; of a large limit an eighth is.
    /// </summary>
    public const long LeastReserve = 16 << 20;

    /// <summary>
    /// Bytes that a client is promised: what it takes is seen only when it is served, and accepting is much faster. Measured:
    /// 12 KiB over the linux engine, 21 over sockets, a third of it the kernel's.
    /// </summary>
    public const long OfAClient = 24 << 10;

    /// <summary>The same for one that speaks TLS: some 30 KiB of an idle tunnel, and what a handshake takes meanwhile.</summary>
    public const long OfATlsClient = 64 << 10;

    /// <summary>Bytes that the daemon takes itself once it has served some.</summary>
    public const long Own = 32 << 20;

    /// <summary>Between two looks while clients wait.</summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);

    private int _clients;

    /// <summary>Of this process.</summary>
    public static MemoryRoom OfProcess()
    {
        long last = 0;
        return new MemoryRoom(MemoryGroup.Find(), () =>
        {
            // All listeners, and all ports of a range, wait at one time: one collection is for all of them.
            long now = Environment.TickCount64, seen = Interlocked.Read(ref last);
            if (now - seen >= (long)LookInterval.TotalMilliseconds && Interlocked.CompareExchange(ref last, now, seen) == seen)
                MemoryTrim.Collect();
        });
    }

    /// <summary>Bytes, or 0 without a limit.</summary>
    public long Limit => group?.Limit ?? 0;

    /// <summary>Clients that are promised room at one time.</summary>
    public int MostClients => MostOf(OfAClient);

    private int MostOf(long each) => group is null
        ? int.MaxValue
        : (int)Math.Clamp((group.Limit - Reserve - Own) / each, LeastClients, int.MaxValue);

    /// <summary>For every client that is about to be accepted; false: not now.</summary>
    /// <param name="live">How many there are.</param>
    /// <param name="each">Bytes that it is promised.</param>
    public bool TryTake(int live, long each = OfAClient)
    {
        if (group is null || live < LeastClients)
            return true;
        if (live < MostOf(each) && (Interlocked.Increment(ref _clients) % ClientsInALook != 1 || HasRoom))
            return true;

        // The next one looks again.
        Volatile.Write(ref _clients, 0);
        return false;
    }

    /// <summary>Makes room of what is not used any more; takes some milliseconds, in which everything stands still.</summary>
    public void Collect()
    {
        if (!HasRoom)
            collect();
    }

    private long Reserve => Math.Max(LeastReserve, group!.Limit / 8);

    private bool HasRoom => group is null || Reserve < group.Free();
}
