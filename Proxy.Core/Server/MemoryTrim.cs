using System.Runtime.InteropServices;

namespace TorBalancer.Server;

/// <summary>
/// Gives memory back when a busy time is over. Each connection leaves some KiB of garbage behind, and the runtime lets its
/// youngest generation grow to the size of the processor's cache before it looks: idle tunnels would stand in a hundred MiB
/// of it. A smaller generation costs every connection time; one collection when nothing happens costs nobody anything.
/// </summary>
internal sealed partial class MemoryTrim : IDisposable
{
    /// <summary>Between two looks; there are none while nothing happens.</summary>
    public static readonly TimeSpan Step = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Before the look after the start: until then what a start leaves behind, 6 MiB, is resident. A busy start is not held up, because
    /// a step in which more than <see cref="Little"/> is allocated is followed by others; a few first clients may wait for it, once.
    /// </summary>
    public static readonly TimeSpan FirstStep = TimeSpan.FromMilliseconds(500);

    /// <summary>What has been allocated since the last time, in bytes: with less there is nothing to gain.</summary>
    public const long Much = 2 << 20;

    /// <summary>Bytes in one step: some fifty new connections. With more it waits, because a collection would hold them up.</summary>
    public const long Little = 256 << 10;

    /// <summary>M_MMAP_THRESHOLD, mallopt(3), and bytes.</summary>
    private const int MmapThreshold = -3, LargePiece = 256 << 10;

    private readonly Func<long> _allocated;
    private readonly Action _collect;
    private readonly ITimer _timer;
    private long _seen;
    private long _trimmed = -Much;
    private int _watching;

    /// <param name="time">The clock.</param>
    /// <param name="allocated">Bytes that this process has allocated so far.</param>
    /// <param name="collect">Collects and gives back; takes some milliseconds, in which everything stands still.</param>
    public MemoryTrim(TimeProvider time, Func<long> allocated, Action collect)
    {
        (_allocated, _collect) = (allocated, collect);
        _timer = time.CreateTimer(static state => ((MemoryTrim)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Of this process.</summary>
    public static MemoryTrim Create(TimeProvider time)
    {
        FixThreshold();
        return new MemoryTrim(time, static () => GC.GetTotalAllocatedBytes(), CollectAndSettle);
    }

    /// <summary>Collects and gives back all that is not used.</summary>
    public static void Collect()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        TrimNative();
    }

    private static void CollectAndSettle()
    {
        Collect();
        ProgramPages.LetGo();
    }

    /// <summary>The start is over: what it has left is given back once nothing happens any more, whoever has connected already.</summary>
    public void Started()
    {
        _seen = _allocated();
        Volatile.Write(ref _watching, 1);
        _timer.Change(FirstStep, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Something was begun; cheap, for every connection.</summary>
    public void Touch()
    {
        if (Volatile.Read(ref _watching) == 0 && Interlocked.Exchange(ref _watching, 1) == 0)
            _timer.Change(Step, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();

    /// <summary>What the compiler of code used is the C library's again, which keeps it unless it is asked (malloc_trim(3)).</summary>
    private static void TrimNative()
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = TrimHeap(0);
        }
        catch (TypeLoadException)
        {
            // Not glibc.
        }
    }

    /// <summary>
    /// What the C library gives out in one large piece (windows of decompressors) is the system's again when it is freed. By
    /// itself it takes each such piece as a reason to keep the next ones up to 32 MiB, in as many heaps as there are threads.
    /// </summary>
    private static void FixThreshold()
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = SetOption(MmapThreshold, LargePiece);
        }
        catch (TypeLoadException)
        {
            // Not glibc.
        }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int TrimHeap(nuint keep);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);

    private void Look()
    {
        long allocated = _allocated();
        bool isQuiet = allocated - _seen < Little;
        _seen = allocated;
        if (!isQuiet)
        {
            _timer.Change(Step, Timeout.InfiniteTimeSpan);
            return;
        }

        if (allocated - _trimmed >= Much)
        {
            _collect();
            _trimmed = _seen = _allocated();
        }

        // What begins in this very moment is seen with the connection after it.
        Volatile.Write(ref _watching, 0);
    }
}
