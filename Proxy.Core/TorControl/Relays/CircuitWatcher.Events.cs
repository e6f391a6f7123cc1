using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Relays;

// What events do. Everything here is quick and waits for nothing.
internal sealed partial class CircuitWatcher
{
    private void Handle(ControlEvent message)
    {
        List<RelayName>? works = null;
        List<Work>? found = null;
        bool noPathByUs = false;
        lock (_lock)
        {
            _verdicts.Clear();
            _table.Apply(message, _verdicts);
            noPathByUs = Note_NeedsLock(message);
            ObserveRebuilds_NeedsLock(message);
            foreach (var verdict in _verdicts)
            {
                _brake.Stream(verdict);
                if (verdict.Fault == StreamFault.None)
                {
                    _evidence.Succeeded(verdict.Exit);
                    if (Blacklist.Contains(verdict.Exit.Fingerprint))
                        (works ??= []).Add(verdict.Exit);
                }
                else if (Excludes && _evidence.Failed(verdict) is { } evidence)
                {
                    (found ??= []).Add(new Work.List(verdict.Exit, evidence));
                }

                if (_options.Rebuild && _rebuilder.Observe(verdict) is { } broken)
                    (found ??= []).Add(new Work.Rebuild(broken));
            }
        }

        if (message is ConfChangedEvent changed)
        {
            _applier.Changed(changed);
            _work.Writer.TryWrite(Work.Wake.Up);
        }

        if (noPathByUs && Blacklist.Clear())
        {
            Log.ListEmptied(_logger, WorkerId);
            _work.Writer.TryWrite(Work.Wake.Up);
        }

        foreach (var relay in works ?? [])
        {
            if (Blacklist.Remove(relay.Fingerprint))
            {
                Log.RelayRemoved(_logger, WorkerId, relay.ToString(), "it carried a stream");
                _work.Writer.TryWrite(Work.Wake.Up);
            }
        }

        foreach (var work in found ?? [])
            Enqueue(work);
    }

    private void Enqueue(Work work)
    {
        // Evidence comes again, and so do failures in a row.
        if (!_work.Writer.TryWrite(work) && work is Work.Rebuild { Broken: var missed })
        {
            lock (_lock)
                _rebuilder.Kept(missed);
        }
    }

    /// <summary>Keeps the counts. True when no path was found while we exclude relays.</summary>
    private bool Note_NeedsLock(ControlEvent message)
    {
        switch (message)
        {
            case CircuitEvent { Circuit: { Status: CircuitStatus.Failed, Reason: "NOPATH" } circuit }:
                _noPath.Add();

                // The second leg of a conflux set often finds none in a small network; it is not needed to get out.
                if (circuit.Purpose is not ("CONFLUX_UNLINKED" or "CONFLUX_LINKED"))
                    _paths.Add(found: false);
                if (!Excludes || circuit.Purpose is not (null or "GENERAL") || circuit.BuildFlags.Contains("IS_INTERNAL") || !_applier.IsInForce)
                    break;
                _brake.NoPath();
                return true;
            case CircuitEvent { Circuit: { Status: CircuitStatus.Failed, Reason: "TIMEOUT" } }:
                _timeouts.Add();
                break;
            case CircuitEvent { Circuit: { Status: CircuitStatus.Built, Path.Count: >= 3 } }:
                _built.Add();
                _paths.Add(found: true);
                break;
            case OrConnEvent link:
                _brake.Link(link.Status);
                if (link.Status == OrConnStatus.Failed)
                {
                    _linkFailures.Add();
                    _lastLinkFailure = $"{link.Target} {link.Reason}";
                }

                break;
            case GuardEvent { Type: "ENTRY" } guard:
                NoteGuard_NeedsLock(guard);
                break;
            case NetworkLivenessEvent liveness:
                _brake.SetLiveness(liveness.IsUp);
                break;
            case BuildTimeoutEvent { Timeout: { } timeout }:
                _buildTimeout = timeout;
                break;
            case StatusEvent status when BootstrapStatus.FromEvent(status) is { } bootstrap:
                _bootstrap = bootstrap;
                break;
            case StatusEvent { Action: "CONSENSUS_ARRIVED" }:
                _consensusIsStale = true;
                break;
        }

        return false;
    }

    private void NoteGuard_NeedsLock(GuardEvent guard)
    {
        if (guard.Status is GuardStatus.Down or GuardStatus.Bad)
        {
            if (_guardsDown.Count < MaxGuards)
                _guardsDown[guard.Relay.Fingerprint] = guard.Relay;
        }
        else if (guard.Status is GuardStatus.Up or GuardStatus.Good or GuardStatus.Dropped)
        {
            _guardsDown.Remove(guard.Relay.Fingerprint);
        }
    }
}
