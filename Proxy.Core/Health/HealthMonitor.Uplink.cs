using TorBalancer.Health.Alerts;
using TorBalancer.Workers;

namespace TorBalancer.Health;

// Our own network being away: told by all workers failing at once, or by addresses of the operator's choice.
internal sealed partial class HealthMonitor
{
    /// <summary>More failures than these within one check add nothing.</summary>
    private const int MaxHeld = 64;

    private readonly List<(WorkerHealth Health, HealthSignal Signal, long Episode)> _held = [];
    private bool _uplinkDown;

    private bool IsFrozen_NeedsLock => _freeze.IsFrozen || _uplinkDown;

    /// <summary>
    /// A failure that a dead uplink may explain waits until the uplink has been looked at. True when it does: it is applied
    /// then.
    /// </summary>
    private bool Holds(WorkerHealth health, in HealthSignal signal, long? episode)
    {
        if (_uplink is null)
            return false;
        lock (_lock)
        {
            if (_uplinkDown || _uplink.IsFreshlyUp)
                return false;
            if (_held.Count < MaxHeld)
                _held.Add((health, signal, episode ?? health.Record.Episode));
        }

        _uplink.Ask();
        return true;
    }

    /// <summary>The uplink was looked at. True when it is to be looked at again soon.</summary>
    private bool UplinkJudged(bool isUp)
    {
        var outbox = new List<HealthEvent>();
        (WorkerHealth Health, HealthSignal Signal, long Episode)[] held;
        bool isDown;
        lock (_lock)
        {
            held = [.. _held];
            _held.Clear();
            bool was = IsFrozen_NeedsLock;

            // Nothing fails: then it is the addresses that are away, and nobody is in danger.
            _uplinkDown = !isUp && (_uplinkDown || held.Length > 0);
            isDown = _uplinkDown;
            if (!was && isDown)
                outbox.Add(new HealthEvent(HealthEventKind.DemotionFrozen, _time.GetUtcNow(), "", "", "", "no address of [Health] Connectivity can be reached, so our own network is down: no worker is declared dead until it is back"));
            else if (was && !IsFrozen_NeedsLock)
                Thaw_NeedsLock("an address of [Health] Connectivity can be reached", null, outbox);
            foreach (var happened in outbox)
                _events.Publish(happened);
        }

        foreach (var happened in outbox)
            Tell(happened);
        foreach (var (health, signal, episode) in held)
            ApplyNow(health, signal, mayBeUplink: true, episode);
        return isDown;
    }

    private void NoteUplink_NeedsLock(WorkerHealth health, HealthSignalKind kind, bool mayBeUplink, List<HealthEvent> outbox)
    {
        if (kind is HealthSignalKind.TrafficSucceeded or HealthSignalKind.ProbePassed)
        {
            health.UplinkFailure = null;
            if (_freeze.Succeeded() | _uplinkDown)
                Thaw_NeedsLock($"{health.Worker.Id} succeeded", health, outbox);
            return;
        }

        if (!mayBeUplink || health.Record.IsStarting)
            return;
        health.UplinkFailure = Now;
        bool was = IsFrozen_NeedsLock;
        if (_freeze.Failed(_workers.Values.Where(static one => one.Worker.Administrative == WorkerAdministrativeState.Enabled), Now) && !was)
            outbox.Add(new HealthEvent(HealthEventKind.DemotionFrozen, _time.GetUtcNow(), "", "", "", "all workers fail at once, as if our own network were down: none is declared dead until one succeeds"));
    }

    /// <summary>What happened before is no longer true of anybody: who is in recovery is tried now, not in a minute.</summary>
    private void Thaw_NeedsLock(string why, WorkerHealth? succeeded, List<HealthEvent> outbox)
    {
        _uplinkDown = false;
        outbox.Add(new HealthEvent(HealthEventKind.DemotionThawed, _time.GetUtcNow(), "", "", "", $"{why}: workers are judged again"));
        foreach (var other in _workers.Values)
        {
            other.UplinkFailure = null;
            if (other != succeeded && other.Record is { State: WorkerOperationalState.Recovery, NextAttempt: not null } waiting)
                other.Set(waiting with { BackoffIndex = 0, NextAttempt = Now });
            other.Wake();
        }
    }
}
