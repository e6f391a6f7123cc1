namespace TorBalancer.TorControl.Relays;

// What others see: copies, made when they ask.
internal sealed partial class CircuitWatcher
{
    public WorkerTorFacts Facts
    {
        get
        {
            lock (_lock)
            {
                return new WorkerTorFacts(
                    WorkerId, _connected, _problem, _version, _bootstrap, _brake.IsNetworkLive, _built.Count, _noPath.Count, _timeouts.Count,
                    _linkFailures.Count, _lastLinkFailure, _table.CircuitCount, _table.StreamCount, _buildTimeout, _brake.Reason(),
                    _rebuilder.Rebuilds, _since)
                {
                    Paths = _paths.Trend,
                    GuardsDown = [.. _guardsDown.Values],
                };
            }
        }
    }

    public IReadOnlyList<BlacklistView> BlacklistViews
    {
        get
        {
            string[] all = [.. Blacklist.Entries.Select(static entry => entry.Relay.Fingerprint)];
            bool inForce = !_applier.Differs(all);
            return [.. Blacklist.Entries.Select(entry => new BlacklistView(
                WorkerId, entry.Relay.Fingerprint, entry.Relay.Nickname, Why(entry.Evidence), entry.Evidence, entry.Since, entry.Until, inForce))];
        }
    }

    public IReadOnlyList<CircuitView> CircuitViews
    {
        get
        {
            lock (_lock)
            {
                var streams = _table.Streams.Where(static stream => stream.CircuitId is not null).CountBy(static stream => stream.CircuitId!)
                    .ToDictionary(StringComparer.Ordinal);
                return [.. _table.Circuits.Select(circuit => new CircuitView(
                    WorkerId, circuit.Id, circuit.Status.ToString(), circuit.Purpose, circuit.ConfluxId, circuit.Path,
                    streams.GetValueOrDefault(circuit.Id), circuit.Password is not null, circuit.Created))];
            }
        }
    }

    public CircuitExit? FindExit(string? tokenPassword, int? localPort, string? target)
    {
        string? sent = tokenPassword is null ? null : _epochs.PasswordFor(WorkerId, tokenPassword);
        lock (_lock)
        {
            // A connection that was opened before the last rebuild still goes under its old password.
            var circuit = _table.FindCarrier(sent, localPort, target) ?? (sent == tokenPassword ? null : _table.FindCarrier(tokenPassword, localPort, target));
            return circuit is null ? null : new CircuitExit(circuit.Id, circuit.ConfluxId, circuit.Exit, circuit.Path);
        }
    }

    private static string Why(EvidenceView evidence) =>
        $"{evidence.Failures} failures on {evidence.Circuits} circuits to {evidence.Destinations} destinations, and no success";
}
