namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// The thread pool's threads, all of them started at once and kept (ThreadsToKeepAlive in the project file). Whoever needs a
/// thread when the system gives none (RLIMIT_NPROC, a cgroup's pids.max) gets an exception where nobody expects one, and some of
/// those end the process: so none is needed later, and a limit that is too low is said at the start.
/// </summary>
internal static class PoolThreads
{
    /// <summary>Nothing here blocks one for long; more would only take memory.</summary>
    private const int Least = 8;

    /// <summary>Not the pool's, and started later: log, engine, timers, signals, the compiler of code; room for them is tried.</summary>
    private const int OthersAtLeast = 10;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Throws <see cref="StartupException"/> when the system does not allow as many threads as a daemon needs.</summary>
    public static void Start()
    {
        int pool = Math.Max(Least, 2 * Environment.ProcessorCount);
        int others = OthersAtLeast + Environment.ProcessorCount;
        try
        {
            // With threads of our own first: when the pool does not get one, the exception is on another thread than this.
            Try(pool + others);
            Fill(pool);
        }
        catch (Exception failure) when (failure is OutOfMemoryException or ThreadStartException or TimeoutException)
        {
            throw new StartupException(
                $"the system does not allow {pool + others} more threads: raise TasksMax (systemd), pids.max (cgroup) or ulimit -u",
                failure);
        }
    }

    private static void Try(int count)
    {
        var threads = new List<Thread>();
        using var release = new ManualResetEventSlim();
        try
        {
            for (int i = 0; i < count; i++)
            {
                var thread = new Thread(release.Wait) { IsBackground = true };
                thread.Start();
                threads.Add(thread);
            }
        }
        finally
        {
            release.Set();
            threads.ForEach(static thread => thread.Join());
        }
    }

    /// <summary>As many items as there shall be threads, each of which waits for the last: every one needs its own.</summary>
    private static void Fill(int count)
    {
        ThreadPool.GetMinThreads(out int least, out int leastPorts);
        ThreadPool.GetMaxThreads(out _, out int mostPorts);
        ThreadPool.SetMinThreads(count, leastPorts);
        ThreadPool.SetMaxThreads(count, mostPorts);
        var started = new CountdownEvent(count);
        var release = new ManualResetEventSlim();
        for (int i = 0; i < count; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static state =>
                {
                    state.Started.Signal();
                    state.Release.Wait();
                },
                (Started: started, Release: release), preferLocal: false);
        }

        bool all = started.Wait(Patience);
        release.Set();
        if (!all)
            throw new TimeoutException("the thread pool did not get its threads");
        ThreadPool.SetMinThreads(least, leastPorts);
    }
}
