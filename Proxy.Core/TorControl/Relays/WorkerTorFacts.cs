using TorBalancer.TorControl.Syntax;
using TorBalancer.TorControl.Warm;

namespace TorBalancer.TorControl.Relays;

/// <summary>What a worker's tor says of itself at one moment; immutable. Counts are of the last minute.</summary>
internal sealed record WorkerTorFacts
{
    /// <summary>True while its control port is connected; else everything below is from before, or empty.</summary>
    public required bool IsConnected { get; init; }

    /// <summary>Why not; null while it is.</summary>
    public string? Problem { get; init; }

    /// <summary>Empty until the first connection.</summary>
    public string TorVersion { get; init; } = "";

    /// <summary>How far its start has come.</summary>
    public BootstrapStatus Bootstrap { get; init; } = BootstrapStatus.None;

    /// <summary>What tor last said of the network. Stays true in many failures: no health check by itself.</summary>
    public required bool IsNetworkLive { get; init; }

    /// <summary>Circuits of three hops or more that were built.</summary>
    public int CircuitsBuilt { get; init; }

    /// <summary>Circuits for which no path was found.</summary>
    public int NoPath { get; init; }

    /// <summary>Circuits that took too long; about a fifth do by design.</summary>
    public int CircuitTimeouts { get; init; }

    /// <summary>Connections to relays (guards) that failed.</summary>
    public int LinkFailures { get; init; }

    /// <summary>Circuits now.</summary>
    public int Circuits { get; init; }

    /// <summary>Streams now.</summary>
    public int Streams { get; init; }

    /// <summary>How long tor lets a circuit take; null: not said yet.</summary>
    public TimeSpan? BuildTimeout { get; init; }

    /// <summary>Why no exit may be blamed now, so the worker is suspect itself; null: nothing unusual.</summary>
    public string? Brake { get; init; }

    /// <summary>Circuits that were replaced as broken, since the start.</summary>
    public long Rebuilds { get; init; }

    /// <summary>Whether this tor finds paths for its circuits.</summary>
    public PathTrend Paths { get; init; }

    /// <summary>Exits in the worker's country; null: it has none, or they were not counted yet.</summary>
    public int? CountryExits { get; init; }

    /// <summary>What is known to be wrong with its release, and not avoided by its configuration.</summary>
    public IReadOnlyList<TorFault> Faults { get; init; } = [];

    /// <inheritdoc cref="TorLevel.MayUseConflux"/>
    public bool MayUseConflux { get; init; }

    /// <summary>Circuits that are kept ready; null: none are.</summary>
    public WarmFacts? Warm { get; init; }

    /// <summary>Guards that tor has called down or bad since the connection began, and not up or good again.</summary>
    public IReadOnlyList<RelayName> GuardsDown { get; init; } = [];
}

/// <summary>What is known of workers through their control ports.</summary>
internal interface ITorFacts
{
    /// <summary>Null when the worker has no control port.</summary>
    WorkerTorFacts? FactsOf(string workerId);
}

/// <summary>Which releases the workers' tors are.</summary>
internal interface ITorVersions
{
    /// <summary>Null when nobody knows: no control port, not connected yet, or no tor.</summary>
    TorVersion? VersionOf(string workerId);
}

/// <summary>The way out of one connection of ours.</summary>
/// <param name="CircuitId">One leg where two carry it (conflux).</param>
/// <param name="ConfluxId">The set of the legs; null without conflux.</param>
/// <param name="Exit">The last relay; of an onion service the rendezvous point.</param>
/// <param name="Path">The guard first.</param>
internal sealed record CircuitExit(string CircuitId, string? ConfluxId, RelayName Exit, IReadOnlyList<RelayName> Path);

/// <summary>A relay that is avoided, for people.</summary>
internal sealed record BlacklistView
{
    /// <summary>By which worker; lists are not shared.</summary>
    public required string WorkerId { get; init; }

    public required string Fingerprint { get; init; }

    /// <summary>null: not known.</summary>
    public required string? Nickname { get; init; }

    /// <summary>What it is avoided for, in words.</summary>
    public required string Why { get; init; }

    public required EvidenceView Evidence { get; init; }

    public required DateTimeOffset Since { get; init; }

    public required DateTimeOffset Until { get; init; }

    /// <summary>True when tor has been told.</summary>
    public required bool IsInForce { get; init; }
}

/// <summary>Finds the circuit that carries a connection; live for as long as its stream is.</summary>
internal interface ICircuitJoin
{
    /// <summary>Null when the worker has no control port, or does not know such a stream.</summary>
    /// <param name="tokenPassword">The isolation token, before or after <see cref="ICircuitEpochs.PasswordFor"/>; null: none.</param>
    /// <param name="localPort">Our port of the connection to the worker; null or 0 on a unix socket.</param>
    /// <param name="target">host:port as it was sent to the worker; null: any. Only needed without a port.</param>
    CircuitExit? FindExit(string workerId, string? tokenPassword, int? localPort, string? target);
}
