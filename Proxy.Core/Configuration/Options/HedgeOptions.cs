namespace TorBalancer.Configuration.Options;

/// <summary>When a second worker is asked before the first has answered.</summary>
public enum HedgeKind : byte
{
    Off,

    /// <summary>After a fixed time.</summary>
    After,

    /// <summary>After about the 90th percentile of recent connect times.</summary>
    Adaptive,
}

/// <summary>[Connect] Hedge: <c>off</c>, <c>after:2s</c> or <c>adaptive</c>.</summary>
public readonly record struct HedgeOptions(HedgeKind Kind, TimeSpan After = default);
