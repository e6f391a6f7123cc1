using System.Globalization;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide.Measuring;

/// <summary>What the kernel says of a process.</summary>
internal static unsafe class ProcessFacts
{
    private const int ThreadClock = 3, MonotonicClock = 1;

    /// <summary>Processor time in seconds of all threads, those that ended included, user and system, to the nanosecond.</summary>
    public static double CpuSeconds(int process)
    {
        // clock_getcpuclockid(3): the complement of the id, and CPUCLOCK_SCHED.
        return ReadClock((~process << 3) | 2);
    }

    /// <summary>Processor time in seconds of the calling thread.</summary>
    public static double OwnCpuSeconds() => ReadClock(ThreadClock);

    public static double Now() => ReadClock(MonotonicClock);

    /// <summary>Resident memory in KiB.</summary>
    public static long ResidentKiB(int process)
    {
        foreach (string line in File.ReadLines($"/proc/{process}/status"))
        {
            if (line.StartsWith("VmRSS:", StringComparison.Ordinal))
                return long.Parse(line.AsSpan(6).TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
        }

        return 0;
    }

    public static int Threads(int process) => Directory.GetDirectories($"/proc/{process}/task").Length;

    public static int Descriptors(int process) => Directory.GetFileSystemEntries($"/proc/{process}/fd").Length;

    public static void PinThisThread(int core)
    {
        ulong mask = 1ul << core;
        _ = Native.SetAffinity(0, sizeof(ulong), &mask);
    }

    /// <summary>Gives the calling thread the processor whenever it has work. False where that is not allowed.</summary>
    public static bool TryPreferThisThread()
    {
        int priority = 1;
        return Native.SetScheduler(0, Native.SchedFifo, &priority) == 0;
    }

    private static double ReadClock(int clock)
    {
        long* time = stackalloc long[2];
        return Native.ClockGetTime(clock, time) == 0 ? time[0] + (time[1] / 1e9) : 0;
    }
}
