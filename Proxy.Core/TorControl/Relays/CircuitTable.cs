using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;
using TorBalancer.TorControl.Warm;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// The circuits and streams of one tor, kept by its events, and the verdicts that follow from them. Thread-safe.
/// </summary>
internal sealed partial class CircuitTable(TimeProvider time)
{
    /// <summary>As many as there may be clean ones among.</summary>
    internal const int MaxCircuits = CircuitLedger.MaxCircuits;

    /// <summary>Past them new ones are not followed, so that memory stays bounded.</summary>
    internal const int MaxStreams = 16_384;

    /// <summary>A circuit that dies this soon after the link to its guard died of that (vanguards uses the same).</summary>
    private static readonly TimeSpan GuardLinkSuspicion = TimeSpan.FromSeconds(2);

    private const int MaxClosedLinks = 64;
    private const int MaxLostStreams = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, CircuitRecord> _circuits = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StreamRecord> _streams = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _closedLinks = new(StringComparer.Ordinal);
    private readonly StreamJoin _join = new();

    /// <summary>How many of each there are now.</summary>
    public (int Circuits, int Streams) Counts
    {
        get
        {
            lock (_lock)
                return (_circuits.Count, _streams.Count);
        }
    }

    /// <summary>Starts over with what GETINFO circuit-status and stream-status say. What streams came with is kept by their id.</summary>
    public void Load(IEnumerable<string> circuits, IEnumerable<string> streams)
    {
        lock (_lock)
            Load_NeedsLock(circuits, streams);
    }

    public void Clear()
    {
        lock (_lock)
        {
            _circuits.Clear();
            _streams.Clear();
            _closedLinks.Clear();
            _join.Clear();
        }
    }

    /// <summary>Takes in one event; adds what it says about exits to <paramref name="verdicts"/>.</summary>
    public void Apply(ControlEvent message, List<StreamVerdict> verdicts)
    {
        lock (_lock)
            Apply_NeedsLock(message, verdicts);
    }

    /// <summary>True for a circuit that is there and was built.</summary>
    public bool WasBuilt(string id)
    {
        lock (_lock)
            return _circuits.TryGetValue(id, out var circuit) && circuit.WasBuilt;
    }

    /// <summary>The ids of the circuits that leave through an exit.</summary>
    public string[] CircuitsThrough(RelayName exit)
    {
        lock (_lock)
            return
            [
                .. _circuits.Values.Where(circuit => circuit.LeadsOut && circuit.Exit.Fingerprint == exit.Fingerprint)
                    .Select(static circuit => circuit.Id),
            ];
    }

    private void Load_NeedsLock(IEnumerable<string> circuits, IEnumerable<string> streams)
    {
        _circuits.Clear();
        foreach (string line in circuits)
        {
            if (CircuitInfo.TryParse(line) is { } info)
                Circuit(info)?.Update(info);
        }

        var known = new Dictionary<string, StreamRecord>(_streams, StringComparer.Ordinal);
        _streams.Clear();
        _join.Clear();
        foreach (string line in streams)
        {
            if (StreamInfo.TryParse(line) is not { } info || Stream(info, known.GetValueOrDefault(info.Id)) is not { } stream)
                continue;
            stream.CircuitId = info.CircuitId;
            stream.IsOpen = info.Status == StreamStatus.Succeeded;
            stream.Password ??= info.CircuitId is { } circuit ? _circuits.GetValueOrDefault(circuit)?.Password : null;
            stream.Carrier = info.CircuitId is { } carrier ? _circuits.GetValueOrDefault(carrier) : null;
            if (stream.IsOpen)
                _join.Opened(stream);
        }
    }

    private void Apply_NeedsLock(ControlEvent message, List<StreamVerdict> verdicts)
    {
        switch (message)
        {
            case CircuitEvent { Circuit: var info } when info.Status is CircuitStatus.Failed or CircuitStatus.Closed:
                CircuitEnded(info, verdicts);
                break;
            case CircuitEvent { Circuit: var info }:
                Circuit(info)?.Update(info);
                break;
            case CircuitMinorEvent { Circuit: var info } when _circuits.TryGetValue(info.Id, out var circuit):
                circuit.Update(info);
                break;
            case StreamEvent { Stream: var info }:
                StreamChanged(info, verdicts);
                break;
            case OrConnEvent { Status: OrConnStatus.Closed, Relay: { } relay }:
                if (_closedLinks.Count >= MaxClosedLinks)
                    _closedLinks.Clear();
                _closedLinks[relay.Fingerprint] = time.GetTimestamp();
                break;
        }
    }

    private CircuitRecord? Circuit(CircuitInfo info)
    {
        if (_circuits.TryGetValue(info.Id, out var circuit))
            return circuit;
        if (_circuits.Count >= MaxCircuits)
            return null;
        circuit = new CircuitRecord(info.Id);
        _circuits.Add(info.Id, circuit);
        return circuit;
    }

    private void CircuitEnded(CircuitInfo info, List<StreamVerdict> verdicts)
    {
        if (!_circuits.Remove(info.Id, out var circuit))
            return;
        circuit.Update(info);

        // Tor may name the other leg of a conflux set when it tells of streams: they are looked for on the whole set.
        var others = circuit.ConfluxId is { } set ? _circuits.Values.Where(other => other.ConfluxId == set).ToArray() : [];
        if (others.Length > 0 && info is { Reason: "FINISHED", RemoteReason: null })
            MoveStreams(circuit, others[0]);
        if (!circuit.WasBuilt || !circuit.LeadsOut || !DiedFromAhead(info) || GuardLinkDied(circuit))
            return;
        var lost = _streams.Values.Where(
            stream => stream.CircuitId == circuit.Id || Array.Exists(others, other => other.Id == stream.CircuitId))
            .Concat(circuit.Lost).Concat(others.SelectMany(static other => other.Lost));
        foreach (var stream in lost)
        {
            if (stream.IsCounted || stream.IsOnion)
                continue;
            stream.IsCounted = true;
            verdicts.Add(Verdict(StreamFault.CircuitDied, circuit, stream));
        }
    }

    /// <summary>
    /// When one leg of a conflux set dies, tor closes the other by itself and may tell of that one first (measured on 0.4.9).
    /// What killed the set is said by the leg that is still to come, so its streams wait there.
    /// </summary>
    private void MoveStreams(CircuitRecord closed, CircuitRecord other)
    {
        other.Lost.AddRange(closed.Lost.Take(MaxLostStreams - other.Lost.Count));
        foreach (var stream in _streams.Values)
        {
            if (stream.CircuitId == closed.Id)
                stream.CircuitId = other.Id;
        }
    }

    /// <summary>
    /// CHANNEL_CLOSED would be the link behind the guard, so the middle relay. DESTROYED is what relays pass on from further
    /// ahead: the exit, or a middle, which the bounds on evidence must tell apart.
    /// </summary>
    private static bool DiedFromAhead(CircuitInfo info) =>
        info is { Status: CircuitStatus.Closed, Reason: "DESTROYED", RemoteReason: "DESTROYED" };

    private bool GuardLinkDied(CircuitRecord circuit) =>
        _closedLinks.TryGetValue(circuit.Path[0].Fingerprint, out long closed) && time.GetElapsedTime(closed) <= GuardLinkSuspicion;

    private static StreamVerdict Verdict(StreamFault fault, CircuitRecord circuit, StreamRecord stream) =>
        new(fault, circuit.Key, circuit.Id, circuit.Exit, stream.Destination, stream.Password);
}
