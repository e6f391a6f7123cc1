using System.Collections.Concurrent;
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
    private readonly WorkerPool _pool;
    private readonly Live<HealthOptions> _options;
    private readonly Live<HealthRules> _rules;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly long _started;
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<WorkerState, MonitoredWorker> _workers = new();
    private readonly HealthAnnouncer _announcer;
    private readonly TunnelJudge _tunnels;
    private readonly UplinkFreeze _freeze;
    private readonly UplinkWatch? _uplink;

    /// <param name="uplink">Looks at our own network; null: no addresses are configured for it.</param>
    public HealthMonitor(
        WorkerPool pool, Live<HealthOptions> options, HealthEvents events, IWorkerConnections connections, UplinkWatch? uplink,
        TimeProvider time,
        ILogger<HealthMonitor> logger)
    {
        _pool = pool;
        _options = options;
        _rules = options.Select(HealthRules.From);
        _time = time;
        _logger = logger;
        _started = time.GetTimestamp();
        _announcer = new HealthAnnouncer(events, _rules, time, logger);
        _tunnels = new TunnelJudge(connections, time, logger);
        _freeze = new UplinkFreeze(options.Select(static health => health.SuspectWindow));
        _uplink = uplink;
        if (uplink is not null)
            uplink.Judged = UplinkJudged;
        options.Follow(Reconfigured);
    }

    /// <summary>Time since the monitor began: the clock of all states.</summary>
    public TimeSpan Now => _time.GetElapsedTime(_started);

    public void DialSucceeded(WorkerState worker, TimeSpan elapsed)
    {
        if (!_options.Value.Enabled)
            return;
        var health = Of(worker);
        health.TrafficAt(Now);
        if (health.WatchesTraffic || health.Gone is { IsWatching: true })
            Apply(health, new HealthSignal(HealthSignalKind.TrafficSucceeded));
    }

    public void DialFailed(WorkerState worker, ProxyError error)
    {
        var evidence = error.Cause.Info().Evidence;
        if (!_options.Value.Enabled || evidence == FailureEvidence.None)
            return;
        var health = Of(worker);
        bool isFull = evidence == FailureEvidence.Full;
        if (!isFull && health.IsAmbiguous)
            return;
        Apply(health, new HealthSignal(isFull ? HealthSignalKind.TrafficFailed : HealthSignalKind.TrafficAmbiguous, error.ToString(),
                Proof: error.Cause.Info().Proof),
            mayBeUplink: isFull && UplinkFreeze.MayBeUplink(worker, error.Cause));
    }

    public void TunnelEnded(WorkerState worker, TunnelEnd end, bool answered)
    {
        // Cut by the worker before a single byte came back: its fault or the target's, nobody knows.
        if (!_options.Value.Enabled || end is not (TunnelEnd.UpstreamReset or TunnelEnd.UpstreamClosed) || answered)
            return;
        var health = Of(worker);
        if (!health.IsAmbiguous)
            Apply(health, new HealthSignal(HealthSignalKind.TrafficAmbiguous, "the worker cut a stream before its first byte"));
    }

    /// <summary>Our own way to the network seems to be away: nobody is declared dead.</summary>
    public bool IsUplinkFrozen
    {
        get
        {
            lock (_lock)
                return _freeze.IsFrozen;
        }
    }

    /// <summary>A managed worker's process is gone.</summary>
    public void ProcessDown(WorkerState worker, string reason) => Apply(Of(worker), new HealthSignal(HealthSignalKind.ProcessDown, reason));

    /// <summary>A managed worker's process runs and cannot carry streams yet. Called again at every step of its start.</summary>
    public void ProcessStarting(WorkerState worker, string reason) =>
        Apply(Of(worker), new HealthSignal(HealthSignalKind.ProcessStarting, reason));

    /// <summary>A managed worker can carry streams; its model has the right address already.</summary>
    public void ProcessReady(WorkerState worker) => Apply(Of(worker), new HealthSignal(HealthSignalKind.ProcessReady, ""));

    /// <summary>Forces a worker back into service, from draining or from whatever health says of it; counters begin anew.</summary>
    public void Enable(WorkerState worker)
    {
        _pool.SetAdministrative(worker, WorkerAdministrativeState.Enabled);
        Apply(Of(worker), new HealthSignal(HealthSignalKind.Enable, "enabled by the operator"));
    }

    /// <summary>What is known of a worker now.</summary>
    public WorkerHealthFacts FactsOf(WorkerState worker)
    {
        // Of one that has left nothing is kept.
        var health = _workers.GetValueOrDefault(worker) ?? New(worker);
        lock (_lock)
        {
            var (state, now) = (health.State, Now);
            if (state.Operational != WorkerOperationalState.Recovery)
                return new WorkerHealthFacts(state.Failures);
            var next = state.NextAttempt is { } at ? (at > now ? at - now : TimeSpan.Zero) : (TimeSpan?)null;
            return new WorkerHealthFacts(state.Failures, state.BackoffIndex, next);
        }
    }

    /// <summary>What happened to a worker's health; of one that is not known, or no longer, nothing did.</summary>
    public HealthCounters CountersOf(WorkerState worker) => (_workers.GetValueOrDefault(worker) ?? New(worker)).Counters;

    /// <summary>What is kept of a worker; made at its first mention.</summary>
    internal MonitoredWorker Of(WorkerState worker)
    {
        return _workers.TryGetValue(worker, out var known) ? known : _workers.GetOrAdd(worker, New(worker));
    }

    /// <summary>The state and whether a canary is wanted, for the prober.</summary>
    internal (WorkerHealthState State, bool WantsCanary) Look(MonitoredWorker health)
    {
        lock (_lock)
            return (health.State, health.WantsCanary);
    }

    /// <summary>A probe begins: what asked for it is served.</summary>
    internal void ProbeBegins(MonitoredWorker health)
    {
        lock (_lock)
            health.WantsCanary = false;
    }

    /// <param name="episode">The episode in which it began; a result of an earlier one does not count.</param>
    internal void ProbeDone(MonitoredWorker health, ProbeReport report, long episode)
    {
        health.Counters.Add(report);
        if (!_options.Value.Enabled)
            return;
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

    private MonitoredWorker New(WorkerState worker)
    {
        bool isOut = worker.Operational is WorkerOperationalState.Recovery or WorkerOperationalState.Dead;
        return new MonitoredWorker(worker, isOut ? WorkerHealthState.Starting(Now) : WorkerHealthState.Healthy(Now));
    }

    private void Apply(MonitoredWorker health, HealthSignal signal, bool mayBeUplink = false, long? episode = null)
    {
        if (!mayBeUplink || !Holds(health, signal, episode))
            ApplyNow(health, signal, mayBeUplink, episode);
    }

    private void ApplyNow(MonitoredWorker health, HealthSignal signal, bool mayBeUplink, long? episode)
    {
        var happened = new List<HealthEvent>();
        bool isOut, isOurs, isStarting;
        lock (_lock)
        {
            if (episode is { } began && began != health.State.Episode)
                return;
            NoteUplink_NeedsLock(health, signal.Kind, mayBeUplink, happened);
            var step = WorkerHealthMachine.Step(health.State, signal with { IsFrozen = _freeze.IsFrozen }, Now, _rules.Value);
            Carry_NeedsLock(health, step, signal, happened);
            isOut = health.State.Operational is WorkerOperationalState.Dead or WorkerOperationalState.Recovery;
            isStarting = health.State.IsStarting;
            isOurs = mayBeUplink && _freeze.IsFrozen;
            _announcer.Publish(happened);
        }

        // What our own network explains proves nothing of the worker.
        if (!isOurs && _tunnels.Judge(health, signal, isOut, isStarting))
        {
            health.LookAgainAt(Now + GoneWatch.Grace);
            health.Wake();
        }

        if (happened.Count > 0)
            _announcer.WriteLog();
    }

    private void Carry_NeedsLock(MonitoredWorker health, in HealthStep step, in HealthSignal signal, List<HealthEvent> happened)
    {
        var worker = health.Worker;
        bool differs = step.Next != health.State;
        health.Set(step.Next);
        health.WantsCanary = (health.WantsCanary || step.WantsCanary) && step.Next.Operational != WorkerOperationalState.Recovery;
        if (step.BeginsSlowStart)
            worker.BeginRamp(_time, _options.Value.SlowStart);
        foreach (var transition in step.Transitions)
        {
            health.Counters.Add(transition);
            var change = _announcer.StateChanged(worker, transition, signal.Reason);
            _pool.SetOperational(worker, transition.To, transition.To == WorkerOperationalState.Healthy ? "" : change.Reason);
            happened.Add(change);
        }

        bool isProcess = signal.Kind is HealthSignalKind.ProcessStarting or HealthSignalKind.ProcessDown;
        if (step.Transitions.Count == 0 && step.Next.IsStarting && isProcess)
            _pool.SetOperational(worker, WorkerOperationalState.Recovery, signal.Reason);
        if (step.RaisesAlert)
            happened.Add(_announcer.ManualIntervention(worker, signal.Reason));
        if (!differs && !step.WantsCanary)
            return;
        Arm_NeedsLock(health);
        health.Wake();
    }

    /// <summary>SUSPECT ends by itself: the window is kept by a timer, for a probe may be under way all the time.</summary>
    private void Arm_NeedsLock(MonitoredWorker health)
    {
        if (health.State.Deadline is not { } deadline)
        {
            health.Timer?.Dispose();
            health.Timer = null;
            return;
        }

        var wait = deadline > Now ? deadline - Now : TimeSpan.Zero;
        health.Timer ??= _time.CreateTimer(
            state => Apply((MonitoredWorker)state!, new HealthSignal(HealthSignalKind.Timer)), health,
            Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        health.Timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// A failure that a dead uplink may explain waits until the uplink has been looked at. True when it does: it is applied
    /// then.
    /// </summary>
    private bool Holds(MonitoredWorker health, in HealthSignal signal, long? episode)
    {
        if (_uplink is not { IsWanted.Value: true })
            return false;
        lock (_lock)
        {
            if (_freeze.IsUplinkDown || _uplink.IsFreshlyUp)
                return false;
            _freeze.Hold(new HeldFailure(health, signal, episode ?? health.State.Episode));
        }

        _uplink.Ask();
        return true;
    }

    /// <summary>Other limits hold from the next signal on. Who was judged by what is off now is judged no longer.</summary>
    private void Reconfigured(HealthOptions next)
    {
        if (_uplink is { IsWanted.Value: false })
            UplinkJudged(isUp: true);
        foreach (var health in _workers.Values)
        {
            bool isStarting;
            lock (_lock)
                isStarting = health.State.IsStarting;
            if (!next.Enabled && !isStarting && health.Worker.Operational != WorkerOperationalState.Healthy)
                Apply(health, new HealthSignal(HealthSignalKind.Enable, "[Health] Enabled is no"));
            health.Wake();
        }
    }

    /// <summary>The uplink was looked at. True when it is to be looked at again soon.</summary>
    private bool UplinkJudged(bool isUp)
    {
        var happened = new List<HealthEvent>();
        HeldFailure[] held;
        bool isDown;
        lock (_lock)
        {
            bool was = _freeze.IsFrozen;
            held = _freeze.Judged(isUp);
            isDown = _freeze.IsUplinkDown;
            if (!was && isDown)
                happened.Add(_announcer.FrozenAsUplinkIsDown());
            else if (was && !_freeze.IsFrozen)
                Thaw_NeedsLock("an address of [Health] Connectivity can be reached", null, happened);
            _announcer.Publish(happened);
        }

        if (happened.Count > 0)
            _announcer.WriteLog();
        foreach (var (worker, signal, episode) in held)
            ApplyNow(worker, signal, mayBeUplink: true, episode);
        return isDown;
    }

    private void NoteUplink_NeedsLock(MonitoredWorker health, HealthSignalKind kind, bool mayBeUplink, List<HealthEvent> happened)
    {
        if (kind is HealthSignalKind.TrafficSucceeded or HealthSignalKind.ProbePassed)
        {
            health.UplinkFailure = null;
            if (_freeze.Succeeded())
                Thaw_NeedsLock($"{health.Worker.Id} succeeded", health, happened);
            return;
        }

        if (!mayBeUplink || health.State.IsStarting)
            return;
        health.UplinkFailure = Now;
        var enabled = _workers.Values.Where(static one => one.Worker.Administrative == WorkerAdministrativeState.Enabled);
        if (_freeze.Failed(enabled, Now))
            happened.Add(_announcer.FrozenAsAllFail());
    }

    /// <summary>What happened before is no longer true of anybody: who is in recovery is tried now, not in a minute.</summary>
    private void Thaw_NeedsLock(string why, MonitoredWorker? succeeded, List<HealthEvent> happened)
    {
        happened.Add(_announcer.Thawed(why));
        foreach (var other in _workers.Values)
        {
            other.UplinkFailure = null;
            if (other != succeeded && other.State is { Operational: WorkerOperationalState.Recovery, NextAttempt: not null } waiting)
                other.Set(waiting with { BackoffIndex = 0, NextAttempt = Now });
            other.Wake();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(HealthEventIds.ProbeFailed, LogLevel.Debug, "Worker {Worker}: its probe failed in step {Step}: {Detail}")]
        public static partial void ProbeFailed(ILogger logger, string worker, string step, string detail);

        [LoggerMessage(
            HealthEventIds.ProbeNotMade, LogLevel.Debug,
            "Worker {Worker}: its probe could not be made, which says nothing of it: {Detail}")]
        public static partial void ProbeNotMade(ILogger logger, string worker, string detail);
    }
}
