using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Warm;

namespace TorBalancer.Admin;

/// <summary>What a worker's tor says of itself through its control port. Counts are of the last minute.</summary>
internal sealed record TorView
{
    /// <summary>False: the rest is from before, or empty.</summary>
    public required bool Connected { get; init; }

    /// <summary>Why it is not connected; null while it is.</summary>
    public string? Problem { get; init; }

    public string? Version { get; init; }

    /// <summary>What is known to be wrong with this version: what it means, how it is called, and which version is without.</summary>
    public required IReadOnlyList<TorFaultView> Faults { get; init; }

    /// <summary>True: its configuration lets it use conflux, so that a session's exit may change from one connection to the next.</summary>
    public required bool Conflux { get; init; }

    /// <summary>Exits in the worker's country; null: it has none, or they were not counted yet.</summary>
    public int? CountryExits { get; init; }

    /// <summary>How far its start has come, percent.</summary>
    public required int Bootstrap { get; init; }

    public required bool NetworkLive { get; init; }

    /// <summary>Circuits now.</summary>
    public required int Circuits { get; init; }

    /// <summary>Streams now.</summary>
    public required int Streams { get; init; }

    public required int CircuitsBuilt { get; init; }

    /// <summary>Circuits for which no path was found.</summary>
    public required int NoPath { get; init; }

    public required int CircuitTimeouts { get; init; }

    /// <summary>Links to relays that failed.</summary>
    public required int LinkFailures { get; init; }

    /// <summary>Guards that tor has called down and not up again.</summary>
    public required IReadOnlyList<string> GuardsDown { get; init; }

    /// <summary>Why no exit may be blamed now; null: nothing unusual.</summary>
    public string? Brake { get; init; }

    /// <summary>Circuits that were replaced as broken, since the start.</summary>
    public required long Rebuilds { get; init; }

    /// <summary>Circuits that are kept ready for new identities; null with [Circuits] Warm = off.</summary>
    public WarmView? Warm { get; init; }

    public static TorView From(WorkerTorFacts facts) => new()
    {
        Connected = facts.IsConnected,
        Problem = facts.Problem,
        Version = facts.TorVersion.Length > 0 ? facts.TorVersion : null,
        Faults = [.. facts.Faults.Select(TorFaultView.From)],
        Conflux = facts.MayUseConflux,
        CountryExits = facts.CountryExits,
        Bootstrap = facts.Bootstrap.Progress,
        NetworkLive = facts.IsNetworkLive,
        Circuits = facts.Circuits,
        Streams = facts.Streams,
        CircuitsBuilt = facts.CircuitsBuilt,
        NoPath = facts.NoPath,
        CircuitTimeouts = facts.CircuitTimeouts,
        LinkFailures = facts.LinkFailures,
        GuardsDown = [.. facts.GuardsDown.Select(static guard => guard.ToString())],
        Brake = facts.Brake,
        Rebuilds = facts.Rebuilds,
        Warm = facts.Warm is { } warm ? WarmView.From(warm) : null,
    };
}

/// <summary>One known fault of a tor.</summary>
/// <param name="Reference">How tor's release notes call it.</param>
/// <param name="Consequence">What it means, for people.</param>
/// <param name="FixedIn">The first version without it.</param>
internal sealed record TorFaultView(string Reference, string Consequence, string FixedIn)
{
    public static TorFaultView From(TorFault fault) => new(fault.Reference, fault.Consequence, fault.FixedIn.ToString());
}

/// <summary>A worker's warm circuits. Totals are since the start of the daemon.</summary>
internal sealed record WarmView
{
    /// <summary>Built, and nothing on them yet; tor's own included. Two that carry one stream together (conflux) are one.</summary>
    public required int Clean { get; init; }

    /// <summary>Being built.</summary>
    public required int Building { get; init; }

    /// <summary>How many of both there are to be now.</summary>
    public required int Target { get; init; }

    /// <summary>Fresh circuits that were needed in the last minute.</summary>
    public required int Demand { get; init; }

    /// <summary>Circuits that were built ahead, whatever became of them.</summary>
    public required long Launched { get; init; }

    /// <summary>Of these, how many carried a stream.</summary>
    public required long Used { get; init; }

    /// <summary>How many were built and ended without one.</summary>
    public required long Unused { get; init; }

    /// <summary>How many could not be built.</summary>
    public required long Failed { get; init; }

    /// <summary>Median of the latest build times, milliseconds; null before the first.</summary>
    public double? BuildMs { get; init; }

    /// <summary>Nine of ten take no longer, milliseconds.</summary>
    public double? SlowBuildMs { get; init; }

    /// <summary>Why none is built although some are wanted; null: nothing holds.</summary>
    public string? Held { get; init; }

    public static WarmView From(WarmFacts facts) => new()
    {
        Clean = facts.Clean,
        Building = facts.Building,
        Target = facts.Target,
        Demand = facts.Demand,
        Launched = facts.Launched,
        Used = facts.Used,
        Unused = facts.Unused,
        Failed = facts.Failed,
        BuildMs = Round(facts.BuildTime),
        SlowBuildMs = Round(facts.SlowBuildTime),
        Held = facts.Held,
    };

    private static double? Round(TimeSpan? time) => time is { } value ? Math.Round(value.TotalMilliseconds, 1) : null;
}
