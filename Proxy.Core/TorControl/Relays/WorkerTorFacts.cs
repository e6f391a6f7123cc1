using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>What a worker's tor says of itself at one moment; immutable. Counts are of the last minute.</summary>
/// <param name="WorkerId">The worker.</param>
/// <param name="IsConnected">True while its control port is connected; else everything below is from before, or empty.</param>
/// <param name="Problem">Why not; null while it is.</param>
/// <param name="TorVersion">Empty until the first connection.</param>
/// <param name="Bootstrap">How far its start has come.</param>
/// <param name="IsNetworkLive">What tor last said of the network. Stays true in many failures: no health check by itself.</param>
/// <param name="CircuitsBuilt">Circuits of three hops or more that were built.</param>
/// <param name="NoPath">Circuits for which no path was found.</param>
/// <param name="CircuitTimeouts">Circuits that took too long; about a fifth do by design.</param>
/// <param name="LinkFailures">Connections to relays (guards) that failed.</param>
/// <param name="LastLinkFailure">The last of them: relay and reason; null: none.</param>
/// <param name="Circuits">Circuits now.</param>
/// <param name="Streams">Streams now.</param>
/// <param name="BuildTimeout">How long tor lets a circuit take; null: not said yet.</param>
/// <param name="Brake">Why no exit may be blamed now, so the worker is suspect itself; null: nothing unusual.</param>
/// <param name="Rebuilds">Circuits that were replaced as broken, since the start.</param>
/// <param name="Since">Since when it is connected, or not.</param>
internal sealed record WorkerTorFacts(
    string WorkerId, bool IsConnected, string? Problem, string TorVersion, BootstrapStatus Bootstrap, bool IsNetworkLive, int CircuitsBuilt,
    int NoPath, int CircuitTimeouts, int LinkFailures, string? LastLinkFailure, int Circuits, int Streams, TimeSpan? BuildTimeout,
    string? Brake, long Rebuilds, DateTimeOffset Since)
{
    /// <summary>Whether this tor finds paths for its circuits.</summary>
    public PathTrend Paths { get; init; }

    /// <summary>Guards that tor has called down or bad since the connection began, and not up or good again.</summary>
    public IReadOnlyList<RelayName> GuardsDown { get; init; } = [];
}

/// <summary>What is known of workers through their control ports.</summary>
internal interface ITorFacts
{
    /// <summary>Null when the worker has no control port.</summary>
    WorkerTorFacts? FactsOf(string workerId);
}

/// <summary>The way out of one connection of ours.</summary>
/// <param name="CircuitId">One leg where two carry it (conflux).</param>
/// <param name="ConfluxId">The set of the legs; null without conflux.</param>
/// <param name="Exit">The last relay; of an onion service the rendezvous point.</param>
/// <param name="Path">The guard first.</param>
internal sealed record CircuitExit(string CircuitId, string? ConfluxId, RelayName Exit, IReadOnlyList<RelayName> Path);

/// <summary>A relay that is avoided, for people.</summary>
/// <param name="WorkerId">By which worker; lists are not shared.</param>
/// <param name="IsInForce">True when tor has been told.</param>
internal sealed record BlacklistView(
    string WorkerId, string Fingerprint, string? Nickname, string Why, EvidenceView Evidence, DateTimeOffset Since, DateTimeOffset Until, bool IsInForce);

/// <summary>Finds the circuit that carries a connection; live for as long as its stream is.</summary>
internal interface ICircuitJoin
{
    /// <summary>Null when the worker has no control port, or does not know such a stream.</summary>
    /// <param name="tokenPassword">The isolation token, before or after <see cref="ICircuitEpochs.PasswordFor"/>; null: none.</param>
    /// <param name="localPort">Our port of the connection to the worker; null or 0 on a unix socket.</param>
    /// <param name="target">host:port as it was sent to the worker; null: any. Only needed without a port.</param>
    CircuitExit? FindExit(string workerId, string? tokenPassword, int? localPort, string? target);
}
