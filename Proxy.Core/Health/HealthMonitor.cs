using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Health.Alerts;
using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// The one door between what is observed and what the pool says: it feeds the state machine with the outcomes of real
/// connections, of probes, of supervisors and of the operator, and carries out what the machine decides.
/// </summary>
/// <remarks>
/// One lock orders all signals; it is short, and a success of a healthy worker (nearly every call) does not take it. What
/// is logged leaves the lock first.
/// </remarks>
internal sealed partial class HealthMonitor : IOutcomeSink, IDisposable
{
    private readonly IWorkerConnections? _connections;
    private readonly WorkerPool _pool;
    private readonly HealthOptions _options;
    private readonly HealthRules _rules;
    private readonly HealthEvents _events;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly long _started;
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<WorkerState, WorkerHealth> _workers = new();
    private readonly UplinkFreeze _freeze;
    private readonly UplinkWatch? _uplink;

    public HealthMonitor(WorkerPool pool, HealthOptions options, HealthEvents events, TimeProvider time, ILogger<HealthMonitor> logger, IWorkerConnections? connections = null,
        UplinkWatch? uplink = null)
    {
        _connections = connections;
        _pool = pool;
        _options = options;
        _rules = HealthRules.From(options);
        _events = events;
        _time = time;
        _logger = logger;
        _started = time.GetTimestamp();
        _freeze = new UplinkFreeze(options.SuspectWindow);
        _uplink = uplink;
        if (uplink is not null)
            uplink.Judged = UplinkJudged;
    }

    /// <summary>Time since the monitor began: the clock of all records.</summary>
    public TimeSpan Now => _time.GetElapsedTime(_started);

    /// <summary>True while our own network seems to be down and nobody is declared dead for it.</summary>
    public bool IsFrozen
    {
        get
        {
            lock (_lock)
                return IsFrozen_NeedsLock;
        }
    }

    public void DialSucceeded(WorkerState worker, TimeSpan elapsed)
    {
        if (!_options.Enabled)
            return;
        var health = Of(worker);
        health.TrafficAt(Now);
        if (health.WatchesTraffic || health.Gone is { IsWatching: true })
            Apply(health, new HealthSignal(HealthSignalKind.TrafficSucceeded));
    }

    public void DialFailed(WorkerState worker, ProxyError error)
    {
        var evidence = error.Cause.Info().Evidence;
        if (!_options.Enabled || evidence == FailureEvidence.None)
            return;
        var health = Of(worker);
        bool isFull = evidence == FailureEvidence.Full;
        if (!isFull && health.IsAmbiguous)
            return;
        Apply(health, new HealthSignal(isFull ? HealthSignalKind.TrafficFailed : HealthSignalKind.TrafficAmbiguous, error.ToString(),
                Proof: GoneProofs.FromTraffic(error.Cause)),
            mayBeUplink: isFull && UplinkFreeze.MayBeUplink(worker, error.Cause));
    }

    public void TunnelEnded(WorkerState worker, TunnelEnd end, bool answered)
    {
        // Cut by the worker before a single byte came back: its fault or the target's, nobody knows.
        if (!_options.Enabled || end is not (TunnelEnd.UpstreamReset or TunnelEnd.UpstreamClosed) || answered)
            return;
        var health = Of(worker);
        if (!health.IsAmbiguous)
            Apply(health, new HealthSignal(HealthSignalKind.TrafficAmbiguous, "the worker cut a stream before its first byte"));
    }

    /// <summary>A managed worker's process is gone.</summary>
    public void ProcessDown(WorkerState worker, string reason) => Apply(Of(worker), new HealthSignal(HealthSignalKind.ProcessDown, reason));

    /// <summary>A managed worker's process runs and cannot carry streams yet. Called again at every step of its start.</summary>
    public void ProcessStarting(WorkerState worker, string reason) => Apply(Of(worker), new HealthSignal(HealthSignalKind.ProcessStarting, reason));

    /// <summary>A managed worker can carry streams; its model has the right address already.</summary>
    public void ProcessReady(WorkerState worker) => Apply(Of(worker), new HealthSignal(HealthSignalKind.ProcessReady, ""));

    /// <summary>Forces a worker back into service, from draining or from whatever health says of it; counters begin anew.</summary>
    public void Enable(WorkerState worker)
    {
        _pool.SetAdministrative(worker, WorkerAdministrativeState.Enabled);
        Apply(Of(worker), new HealthSignal(HealthSignalKind.Enable, "enabled by the operator"));
    }

    /// <summary>No new connections; live ones go on. Probes go on too and never end it.</summary>
    public void Drain(WorkerState worker) => _pool.SetAdministrative(worker, WorkerAdministrativeState.Draining);

    /// <summary>What is known of a worker now.</summary>
    public WorkerHealthView View(WorkerState worker)
    {
        var health = Of(worker);
        lock (_lock)
        {
            var (record, now) = (health.Record, Now);
            var next = record.NextAttempt is { } at ? (at > now ? at - now : TimeSpan.Zero) : (TimeSpan?)null;
            return new WorkerHealthView(record.State, worker.OperationalReason, now - record.Since, record.Failures, record.Successes,
                record.BackoffIndex, next, now - record.LastAttempt, IsFrozen_NeedsLock, health.Reports);
        }
    }

    /// <summary>The living side of a worker; made at its first mention.</summary>
    internal WorkerHealth Of(WorkerState worker)
    {
        if (_workers.TryGetValue(worker, out var known))
            return known;
        bool isOut = worker.Operational is WorkerOperationalState.Recovery or WorkerOperationalState.Dead;
        return _workers.GetOrAdd(worker, new WorkerHealth(worker, isOut ? WorkerHealthRecord.Starting(Now) : WorkerHealthRecord.Healthy(Now)));
    }

    /// <summary>The record and whether a canary is wanted, for the prober.</summary>
    internal (WorkerHealthRecord Record, bool WantsCanary) Look(WorkerHealth health)
    {
        lock (_lock)
            return (health.Record, health.WantsCanary);
    }

    /// <summary>A probe begins: what asked for it is served.</summary>
    internal void ProbeBegins(WorkerHealth health)
    {
        lock (_lock)
            health.WantsCanary = false;
    }

    /// <param name="episode">The episode in which it began; a result of an earlier one is kept and not counted.</param>
    internal void ProbeDone(WorkerHealth health, ProbeReport report, long episode)
    {
        health.Keep(report);
        if (report.IsInconclusive)
        {
            Log.ProbeNotMade(_logger, health.Worker.Id, report.Steps.First(static step => step.IsOurLack).Detail);
            return;
        }

        if (report.Failure is { } failure)
            Log.ProbeFailed(_logger, health.Worker.Id, failure.Name, failure.Detail);
        string reason = report.Failure is { } why ? $"{why.Name}: {why.Detail}" : "";
        Apply(health, new HealthSignal(report.Passed ? HealthSignalKind.ProbePassed : HealthSignalKind.ProbeFailed, reason,
                Proof: report.Proof),
            mayBeUplink: !report.Passed && UplinkFreeze.MayBeUplink(health.Worker, report), episode);
    }

    /// <summary>A worker that is no longer configured.</summary>
    internal void Forget(WorkerState worker)
    {
        if (_workers.TryRemove(worker, out var health))
            health.Dispose();
    }

    public void Dispose()
    {
        foreach (var health in _workers.Values)
            health.Dispose();
    }

    private void Apply(WorkerHealth health, HealthSignal signal, bool mayBeUplink = false, long? episode = null)
    {
        if (!mayBeUplink || !Holds(health, signal, episode))
            ApplyNow(health, signal, mayBeUplink, episode);
    }

    private void ApplyNow(WorkerHealth health, HealthSignal signal, bool mayBeUplink, long? episode)
    {
        var outbox = new List<HealthEvent>();
        bool isOut, isOurs, isStarting;
        lock (_lock)
        {
            if (episode is { } began && began != health.Record.Episode)
                return;
            NoteUplink_NeedsLock(health, signal.Kind, mayBeUplink, outbox);
            var step = WorkerHealthMachine.Step(health.Record, signal with { IsFrozen = IsFrozen_NeedsLock }, Now, _rules);
            Carry_NeedsLock(health, step, signal, outbox);
            isOut = health.Record.State is WorkerOperationalState.Dead or WorkerOperationalState.Recovery;
            isStarting = health.Record.IsStarting;
            isOurs = mayBeUplink && IsFrozen_NeedsLock;
            foreach (var happened in outbox)
                _events.Publish(happened);
        }

        // What our own network explains proves nothing of the worker.
        if (!isOurs)
            JudgeTunnels(health, signal, isOut, isStarting);
        foreach (var happened in outbox)
            Tell(happened);
    }

    private void Carry_NeedsLock(WorkerHealth health, in HealthStep step, in HealthSignal signal, List<HealthEvent> outbox)
    {
        var worker = health.Worker;
        bool differs = step.Next != health.Record;
        health.Set(step.Next);
        health.WantsCanary = (health.WantsCanary || step.WantsCanary) && step.Next.State != WorkerOperationalState.Recovery;
        if (step.BeginsSlowStart)
            worker.BeginRamp(_time, _options.SlowStart);
        foreach (var transition in step.Transitions)
        {
            string text = Reason(transition.Change, signal.Reason);
            _pool.SetOperational(worker, transition.To, transition.To == WorkerOperationalState.Healthy ? "" : text);
            outbox.Add(new HealthEvent(HealthEventKind.StateChanged, _time.GetUtcNow(), worker.Id, Word(transition.From), Word(transition.To), text));
        }

        if (step.Transitions.Count == 0 && step.Next.IsStarting && signal.Kind is HealthSignalKind.ProcessStarting or HealthSignalKind.ProcessDown)
            _pool.SetOperational(worker, WorkerOperationalState.Recovery, signal.Reason);
        if (step.RaisesAlert)
            outbox.Add(new HealthEvent(HealthEventKind.ManualIntervention, _time.GetUtcNow(), worker.Id, "", "", $"{HealthEvent.InterventionText} ({signal.Reason})"));
        if (!differs && !step.WantsCanary)
            return;
        Arm_NeedsLock(health);
        health.Wake();
    }

    /// <summary>SUSPECT ends by itself: the window is kept by a timer, for a probe may be under way all the time.</summary>
    private void Arm_NeedsLock(WorkerHealth health)
    {
        if (health.Record.Deadline is not { } deadline)
        {
            health.Timer?.Dispose();
            health.Timer = null;
            return;
        }

        var wait = deadline > Now ? deadline - Now : TimeSpan.Zero;
        health.Timer ??= _time.CreateTimer(state => Apply((WorkerHealth)state!, new HealthSignal(HealthSignalKind.Timer)), health, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        health.Timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private void Tell(HealthEvent happened)
    {
        switch (happened.Kind)
        {
            case HealthEventKind.StateChanged when happened.To == "healthy":
                Log.WorkerRecovered(_logger, happened.Worker, happened.From, happened.Reason);
                break;
            case HealthEventKind.StateChanged:
                Log.WorkerChanged(_logger, happened.Worker, happened.From, happened.To, happened.Reason);
                break;
            case HealthEventKind.ManualIntervention:
                Log.Alert(_logger, happened.Worker, happened.Reason);
                break;
            case HealthEventKind.DemotionFrozen:
                Log.DemotionFrozen(_logger, happened.Reason);
                break;
            default:
                Log.DemotionThawed(_logger, happened.Reason);
                break;
        }
    }

    private string Reason(HealthChange change, string reason) => change switch
    {
        HealthChange.WindowOver => $"{change.Word()}: suspect for {Seconds(_rules.SuspectWindow)} s without recovering",
        HealthChange.Threshold => string.Create(CultureInfo.InvariantCulture, $"{change.Word()}: {_rules.FailureThreshold} failures; {reason}"),
        _ => reason.Length == 0 ? change.Word() : $"{change.Word()}: {reason}",
    };

    private static string Seconds(TimeSpan value) => value.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Word(WorkerOperationalState state) => state.ToString().ToLowerInvariant();
}
