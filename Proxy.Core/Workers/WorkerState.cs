namespace TorBalancer.Workers;

/// <summary>
/// The living side of a worker: its identity, counters and states. It survives reloads; the model is swapped under it.
/// </summary>
public sealed class WorkerState
{
    private WorkerModel _model;
    private int _active;
    private long _totalConnections;
    private long _totalFailures;
    private long _bytesSent;
    private long _bytesReceived;
    private double _connectTimeMs;
    private long _passedOverUntil;
    private Ramp? _ramp;
    private IWarmCircuits? _warm;

    public WorkerState(WorkerModel model) => _model = model;

    public string Id => Model.Id;

    public WorkerModel Model
    {
        get => Volatile.Read(ref _model);
        internal set => Volatile.Write(ref _model, value);
    }

    /// <summary>Leases held: connections being dialled and connections being carried.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Leases ever taken.</summary>
    public long TotalConnections => Interlocked.Read(ref _totalConnections);

    /// <summary>Dials that failed by the worker's own fault.</summary>
    public long TotalFailures => Interlocked.Read(ref _totalFailures);

    /// <summary>Bytes that clients sent through it; of tunnels that live, as far as they have been counted.</summary>
    public long BytesSent => Interlocked.Read(ref _bytesSent);

    /// <summary>Bytes that clients received through it; of tunnels that live, as far as they have been counted.</summary>
    public long BytesReceived => Interlocked.Read(ref _bytesReceived);

    /// <summary>Moving average of the time from dial to connected, milliseconds; 0 until one was measured.</summary>
    public double ConnectTimeMs => Volatile.Read(ref _connectTimeMs);

    /// <summary>What its connections are measured by.</summary>
    internal WorkerMeters Meters { get; } = new();

    public WorkerOperationalState Operational { get; internal set; }

    /// <summary>Why it is in that state, for people; empty when there is nothing to say.</summary>
    public string OperationalReason { get; internal set; } = "";

    public WorkerAdministrativeState Administrative { get; internal set; }

    /// <summary>Healthy or suspect, and neither draining nor leaving.</summary>
    public bool IsEligible =>
        Administrative == WorkerAdministrativeState.Enabled
        && (Operational is WorkerOperationalState.Healthy or WorkerOperationalState.Suspect);

    /// <summary>
    /// Until then (a timestamp of the TimeProvider) others are preferred, because it could not be reached a moment ago; 0: never was.
    /// </summary>
    internal long PassedOverUntil
    {
        get => Volatile.Read(ref _passedOverUntil);
        set => Volatile.Write(ref _passedOverUntil, value);
    }

    /// <summary>
    /// Its share of what it would otherwise get, 0.1 to 1: rises steadily after it came back, so that it is not flooded. 1
    /// for nearly everyone nearly always, at the price of one read.
    /// </summary>
    internal double RampFactor(TimeProvider time)
    {
        const double least = 0.1;
        if (Volatile.Read(ref _ramp) is not { } ramp)
            return 1;
        double done = time.GetElapsedTime(ramp.From) / ramp.Duration;
        if (done < 1)
            return least + ((1 - least) * Math.Max(done, 0));
        Interlocked.CompareExchange(ref _ramp, null, ramp);
        return 1;
    }

    /// <summary>From now on its share rises from a tenth to all of it; zero: it has all at once.</summary>
    internal void BeginRamp(TimeProvider time, TimeSpan duration) =>
        Volatile.Write(ref _ramp, duration > TimeSpan.Zero ? new Ramp(time.GetTimestamp(), duration) : null);

    /// <summary>Its clean circuits; null: nobody keeps count.</summary>
    internal IWarmCircuits? Warm
    {
        get => Volatile.Read(ref _warm);
        set => Volatile.Write(ref _warm, value);
    }

    /// <summary>Load per unit of weight, for comparing workers.</summary>
    internal double Load => (double)Active / Model.Weight;

    /// <summary>Takes a lease: from now on the worker counts one connection more.</summary>
    internal WorkerLease Lease()
    {
        Interlocked.Increment(ref _active);
        Interlocked.Increment(ref _totalConnections);
        return new WorkerLease(this);
    }

    /// <summary>
    /// A lease, if it still has exactly so many; else null: somebody was faster, and another may be the better choice now.
    /// </summary>
    internal WorkerLease? TryLease(int active)
    {
        if (Interlocked.CompareExchange(ref _active, active + 1, active) != active)
            return null;
        Interlocked.Increment(ref _totalConnections);
        return new WorkerLease(this);
    }

    internal void Release() => Interlocked.Decrement(ref _active);

    internal void CountFailure() => Interlocked.Increment(ref _totalFailures);

    /// <summary>What has been counted of it.</summary>
    internal WorkerTotals Totals => new(TotalConnections, TotalFailures, BytesSent, BytesReceived, ConnectTimeMs);

    /// <summary>Counts on from where another process of ours was.</summary>
    internal void Adopt(WorkerTotals totals)
    {
        Interlocked.Add(ref _totalConnections, totals.Connections);
        Interlocked.Add(ref _totalFailures, totals.Failures);
        CountBytes(totals.BytesSent, totals.BytesReceived);
        Volatile.Write(ref _connectTimeMs, totals.ConnectTimeMs);
    }

    internal void CountBytes(long sent, long received)
    {
        Interlocked.Add(ref _bytesSent, sent);
        Interlocked.Add(ref _bytesReceived, received);
    }

    /// <summary>Feeds average and histogram; of the average a lost update between two threads costs one sample and nothing else.</summary>
    internal void ObserveConnectTime(TimeSpan elapsed)
    {
        const double weightOfNew = 0.2;
        double sample = elapsed.TotalMilliseconds, old = Volatile.Read(ref _connectTimeMs);
        Volatile.Write(ref _connectTimeMs, old == 0 ? sample : old + ((sample - old) * weightOfNew));
        Meters.Connect.Observe(elapsed);
    }

    private sealed record Ramp(long From, TimeSpan Duration);
}

/// <summary>What is counted of a worker.</summary>
/// <param name="ConnectTimeMs">Moving average, milliseconds; 0: none was measured.</param>
internal sealed record WorkerTotals(long Connections, long Failures, long BytesSent, long BytesReceived, double ConnectTimeMs);
