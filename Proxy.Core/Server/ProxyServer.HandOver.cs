using System.Net.Sockets;

namespace TorBalancer.Server;

// What another process of ours needs that takes the listeners over: the sockets, and that nobody else accepts on them.
internal sealed partial class ProxyServer
{
    /// <summary>The sockets that are listened on, each with its listener, for another process to have as well.</summary>
    public IReadOnlyList<(ListenerModel Model, Socket Socket, bool OwnsFile)> Sockets =>
    [
        .. Volatile.Read(ref _listeners).Where(static one => one.Listener.Socket is not null)
            .Select(static one => (one.Listener.Model, one.Listener.Socket!, one.Listener.OwnsFile)),
    ];

    /// <summary>
    /// Accepts nobody until <see cref="Resume"/>: who connects waits in the kernel's queues. Connections go on. Listeners must not change
    /// meanwhile.
    /// </summary>
    public async Task PauseAsync()
    {
        // All at once: of a range of ports each loop would be waited for in its turn, and clients with it.
        var all = Volatile.Read(ref _listeners);
        await Task.WhenAll(all.Select(static one => one.Stop.CancelAsync()));
        await Task.WhenAll(all.Select(static one => one.Loop));
    }

    /// <summary>After <see cref="PauseAsync"/>: accepts again. Nothing happens to listeners that it has not come to.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            var next = new List<RunningListener>();
            foreach (var one in _listeners)
            {
                // Another part's pause may have failed before ours; a second loop beside the first would be out of reach of the next one.
                if (!one.Stop.IsCancellationRequested)
                {
                    next.Add(one);
                    continue;
                }

                one.Stop.Dispose();
                next.Add(Accept(one.Listener));
            }

            Volatile.Write(ref _listeners, next);
        }
    }

    /// <summary>
    /// After <see cref="PauseAsync"/>: the listeners are another process's from now on, with everybody who waits at them.
    /// </summary>
    public async Task LeaveListenersAsync(int processId)
    {
        foreach (var running in Volatile.Read(ref _listeners))
        {
            if (running.TryClose())
                await running.Listener.LeaveAsync();
        }

        Log.HandedOver(logger, processId, Connections.Count);
    }

    /// <summary>Who served before; null: nobody handed over to this process.</summary>
    public TakeoverFacts? TakenOver { get; private set; }

    /// <summary>This process serves from now on.</summary>
    public void TakeOver(TakeoverFacts facts)
    {
        TakenOver = facts;
        Log.TakenOver(logger, facts.ProcessId, facts.Release);
        if (facts.Trouble is { } trouble)
            Log.NotReleased(logger, facts.ProcessId, trouble);
    }

    /// <summary>Closes the sockets of a predecessor whose listeners are not in this configuration.</summary>
    public void CloseUntaken() => services.Inherited.CloseRest();

    private RunningListener Accept(ProxyListener listener)
    {
        var stop = CancellationTokenSource.CreateLinkedTokenSource(Connections.Stopping);
        return new RunningListener(listener, listener.RunAsync(stop.Token), stop);
    }
}

/// <summary>The process that handed over to this one.</summary>
/// <param name="ProcessId">Its number.</param>
/// <param name="Release">Its release.</param>
/// <param name="At">When this one began to serve.</param>
internal sealed record TakeoverFacts(int ProcessId, string Release, DateTimeOffset At)
{
    /// <summary>What was wrong with its end; null: nothing.</summary>
    public string? Trouble { get; init; }
}
