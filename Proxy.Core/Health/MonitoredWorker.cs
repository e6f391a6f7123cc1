using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// What the monitor keeps of one worker: its state in the machine, what wakes its prober, and the watch over its tunnels.
/// </summary>
internal sealed class MonitoredWorker(WorkerState worker, WorkerHealthState state) : IDisposable
{
    private TaskCompletionSource _changed = NewSignal();
    private long _lastTraffic = -1;
    private bool _watchesTraffic;
    private bool _isAmbiguous;
    private GoneWatch? _gone;
    private long _lookAgain = -1;

    public WorkerState Worker { get; } = worker;

    /// <summary>What happened to it so far.</summary>
    public HealthCounters Counters { get; } = new();

    /// <summary>Read and written under the monitor's lock.</summary>
    public WorkerHealthState State { get; private set; } = state;

    /// <summary>A probe is asked for, as soon as the spacing allows; read and written under the monitor's lock.</summary>
    public bool WantsCanary { get; set; }

    /// <summary>Fires at the state's deadline; owned by the monitor.</summary>
    public ITimer? Timer { get; set; }

    /// <summary>When it last failed in a way that the way to the Tor network may explain; written under the monitor's lock.</summary>
    public TimeSpan? UplinkFailure { get; set; }

    /// <summary>What becomes of its tunnels; null until something proved that it is gone.</summary>
    public GoneWatch? Gone => Volatile.Read(ref _gone);

    /// <summary>When a probe is due whatever the schedule says, on the monitor's clock; null: the schedule holds.</summary>
    public TimeSpan? LookAgain => Volatile.Read(ref _lookAgain) is >= 0 and var ticks ? new TimeSpan(ticks) : null;

    /// <summary>Completes when the prober should look again; take it before reading the state.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>When a real connection last got through, in ticks of the monitor's clock; null: never.</summary>
    public TimeSpan? LastTraffic => Volatile.Read(ref _lastTraffic) is >= 0 and var ticks ? new TimeSpan(ticks) : null;

    /// <summary>True when a real success would change anything, so that most need no lock.</summary>
    public bool WatchesTraffic => Volatile.Read(ref _watchesTraffic);

    /// <summary>True while another ambiguous failure would change nothing.</summary>
    public bool IsAmbiguous => Volatile.Read(ref _isAmbiguous);

    public void TrafficAt(TimeSpan now) => Volatile.Write(ref _lastTraffic, now.Ticks);

    /// <summary>Keeps the first that is given, and gives the one that is kept.</summary>
    public GoneWatch WatchTunnels(GoneWatch watch)
    {
        if (Interlocked.CompareExchange(ref _gone, watch, null) is not { } known)
            return watch;
        watch.Dispose();
        return known;
    }

    public void LookAgainAt(TimeSpan when) => Volatile.Write(ref _lookAgain, when.Ticks);

    /// <summary>A probe begins.</summary>
    public void Looks() => Volatile.Write(ref _lookAgain, -1);

    public void Set(WorkerHealthState next)
    {
        State = next;
        Volatile.Write(ref _isAmbiguous, next.IsAmbiguous);
        bool isSuspect = next.Operational == WorkerOperationalState.Suspect;
        Volatile.Write(ref _watchesTraffic, isSuspect || next.Failures > 0 || UplinkFailure is not null);
    }

    public void Wake() => Interlocked.Exchange(ref _changed, NewSignal()).TrySetResult();

    public void Dispose()
    {
        Timer?.Dispose();
        Gone?.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
