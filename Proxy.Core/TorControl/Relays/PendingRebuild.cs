using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Relays;

/// <summary>How the circuit that is to replace a broken one is doing.</summary>
internal enum RebuildProgress : byte
{
    Building,
    Built,
    Failed,
}

/// <summary>A broken circuit and the one that is being built in its place.</summary>
/// <param name="circuitId">The new one.</param>
/// <param name="attempt">From 1.</param>
/// <param name="begun">When the first attempt began, a timestamp.</param>
internal sealed class PendingRebuild(BrokenCircuit broken, string circuitId, int attempt, long begun)
{
    public BrokenCircuit Broken { get; } = broken;

    public string CircuitId { get; } = circuitId;

    public int Attempt { get; } = attempt;

    public long Begun { get; } = begun;

    public RebuildProgress Progress { get; private set; }

    /// <summary>True when the event decided it.</summary>
    public bool Observe(CircuitInfo circuit)
    {
        if (circuit.Id != CircuitId || Progress != RebuildProgress.Building)
            return false;
        Progress = circuit.Status switch
        {
            CircuitStatus.Built => RebuildProgress.Built,
            CircuitStatus.Failed or CircuitStatus.Closed => RebuildProgress.Failed,
            _ => RebuildProgress.Building,
        };
        return Progress != RebuildProgress.Building;
    }

    /// <summary>tor told of it before it answered us.</summary>
    public void ObserveBuilt()
    {
        if (Progress == RebuildProgress.Building)
            Progress = RebuildProgress.Built;
    }
}
