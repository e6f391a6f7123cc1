namespace TorBalancer.TorControl.Warm;

/// <summary>A worker's warm circuits at one moment; immutable. Totals are since the start of the daemon.</summary>
internal sealed record WarmFacts
{
    /// <summary>Circuits, or conflux sets, that are built and carry nothing yet, tor's own included.</summary>
    public required int Clean { get; init; }

    /// <summary>Ours under construction.</summary>
    public required int Building { get; init; }

    /// <summary>How many are to be clean or under construction now.</summary>
    public required int Target { get; init; }

    /// <summary>Fresh circuits that streams took in the last minute, ours or tor's.</summary>
    public required int Demand { get; init; }

    public required long Launched { get; init; }

    public required long Used { get; init; }

    /// <summary>Built, and ended without ever carrying a stream.</summary>
    public required long Unused { get; init; }

    public required long Failed { get; init; }

    /// <summary>Median time to build one; null before the first.</summary>
    public TimeSpan? BuildTime { get; init; }

    /// <summary>Nine of ten are built within it.</summary>
    public TimeSpan? SlowBuildTime { get; init; }

    /// <summary>Why none is launched although some are wanted; null: nothing holds.</summary>
    public string? Held { get; init; }
}
