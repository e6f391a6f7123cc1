namespace TorBalancer.Configuration;

/// <summary>[Blacklist]: relays that failed are avoided for a while.</summary>
public sealed class BlacklistOptions
{
    /// <summary>exits or off. Default exits. Guards and middles are never excluded.</summary>
    public string Relays { get; set; } = "exits";

    /// <summary>Default 5 min.</summary>
    public TimeSpan Duration { get; set; } = TimeSpan.FromMinutes(5);
}
