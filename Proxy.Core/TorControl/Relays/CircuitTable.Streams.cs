using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Relays;

// What becomes of streams, and the join from a connection of ours to its stream.
internal sealed partial class CircuitTable
{
    /// <summary>
    /// The circuit that carries a connection: by our local port when the worker is on TCP (tor tells it), else by the
    /// token, of several streams with one token the latest to that target. Null while it is on none; found for a while after its
    /// end.
    /// </summary>
    public CircuitExit? FindExit(string? password, int? localPort, string? target)
    {
        lock (_lock)
        {
            var stream = _join.Find(password, localPort, target);
            return stream?.CircuitId is { } id && (_circuits.GetValueOrDefault(id) ?? stream.Carrier) is { } circuit
                ? new CircuitExit(circuit.Id, circuit.ConfluxId, circuit.Exit, circuit.Path)
                : null;
        }
    }

    private void StreamChanged(StreamInfo info, List<StreamVerdict> verdicts)
    {
        switch (info.Status)
        {
            case StreamStatus.New or StreamStatus.NewResolve:
                if (info.Purpose is null or "USER" or "DNS_REQUEST")
                    Stream(info, null);
                break;
            case StreamStatus.SentConnect or StreamStatus.SentResolve:
                if (_streams.TryGetValue(info.Id, out var sent))
                    (sent.CircuitId, sent.IsCounted) = (info.CircuitId, false);
                break;
            case StreamStatus.Succeeded:
                StreamOpened(info, verdicts);
                break;
            case StreamStatus.Detached:
                if (_streams.TryGetValue(info.Id, out var detached))
                {
                    AttemptFailed(detached, info, verdicts);
                    detached.CircuitId = null;
                }

                break;
            case StreamStatus.Failed or StreamStatus.Closed:
                StreamEnded(info, verdicts);
                break;
        }
    }

    private void StreamOpened(StreamInfo info, List<StreamVerdict> verdicts)
    {
        if (!_streams.TryGetValue(info.Id, out var stream))
            return;
        stream.CircuitId = info.CircuitId ?? stream.CircuitId;
        stream.IsOpen = true;
        stream.Carrier = stream.CircuitId is { } carrier ? _circuits.GetValueOrDefault(carrier) : null;
        _join.Opened(stream);

        // An answer from tor's own cache never left: it has no circuit and says nothing.
        if (info.CircuitId is { } id && _circuits.TryGetValue(id, out var circuit) && circuit.LeadsOut && !stream.IsOnion)
            verdicts.Add(Verdict(StreamFault.None, circuit, stream));
    }

    private void StreamEnded(StreamInfo info, List<StreamVerdict> verdicts)
    {
        if (!_streams.Remove(info.Id, out var stream))
            return;
        if (stream.IsOpen)
            _join.Ended(stream);
        if (info.Reason == "DESTROY")
        {
            var circuit = Known(info.CircuitId) ?? Known(stream.CircuitId);
            if (!stream.IsCounted && circuit is not null && circuit.Lost.Count < MaxLostStreams)
                circuit.Lost.Add(stream);
        }
        else if (!stream.IsOpen)
        {
            AttemptFailed(stream, info, verdicts);
        }
    }

    private CircuitRecord? Known(string? id) => id is null ? null : _circuits.GetValueOrDefault(id);

    /// <summary>Once for each time that it was sent to an exit: after DETACHED a FAILED says the same again.</summary>
    private void AttemptFailed(StreamRecord stream, StreamInfo info, List<StreamVerdict> verdicts)
    {
        if (stream.CircuitId is null || stream.IsCounted || stream.IsOnion || StreamFaults.Of(info) is not { } fault)
            return;
        if (!_circuits.TryGetValue(stream.CircuitId, out var circuit) || !circuit.LeadsOut)
            return;
        stream.IsCounted = true;
        verdicts.Add(Verdict(fault, circuit, stream));
    }

    private StreamRecord? Stream(StreamInfo info, StreamRecord? known)
    {
        if (_streams.TryGetValue(info.Id, out var stream))
            return stream;
        if (_streams.Count >= MaxStreams)
            return null;
        stream = known ?? new StreamRecord(info.Id)
        {
            Target = info.Target,
            Destination = info.TargetHost.TrimEnd('.').ToLowerInvariant(),
            Password = info.SocksPassword,
            SourcePort = info.SourcePort,
        };
        _streams.Add(info.Id, stream);
        return stream;
    }
}
