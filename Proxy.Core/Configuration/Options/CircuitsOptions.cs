namespace TorBalancer.Configuration.Options;

/// <summary>[Circuits]: circuits that are built ahead of the identities that will need them.</summary>
public sealed class CircuitsOptions
{
    /// <summary>
    /// Clean circuits that are kept ready for each worker with a control port: as many as recent demand will need while the next are
    /// being built, or always so many, or none. Default auto; 1 to 64.
    /// </summary>
    public WarmCount Warm { get; set; } = WarmCount.Auto;

    /// <summary>The most that auto keeps ready for one worker. Default 16, 1 to 64.</summary>
    public int MaxWarm { get; set; } = 16;
}

/// <summary>[Circuits] Warm.</summary>
/// <param name="Fixed">Always so many; 0: none; null: by demand.</param>
public readonly record struct WarmCount(int? Fixed)
{
    /// <summary>By demand.</summary>
    public static readonly WarmCount Auto = new(null);

    /// <summary>None.</summary>
    public static readonly WarmCount Off = new(0);
}
