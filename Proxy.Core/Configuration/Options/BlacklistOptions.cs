namespace TorBalancer.Configuration.Options;

/// <summary>[Blacklist]: relays that failed are avoided for a while.</summary>
public sealed class BlacklistOptions
{
    /// <summary>exits or off. Default exits. Guards and middles are never excluded.</summary>
    public string Relays { get; set; } = "exits";

    /// <summary>Default 5 min.</summary>
    public TimeSpan Duration { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Failures without a success that list an exit, or that make a circuit count as broken. Default 3, 2 to 20.</summary>
    public int FailureThreshold { get; set; } = 3;

    /// <summary>The most exits that one worker avoids at a time. Default 16, 1 to 64.</summary>
    public int MaxRelays { get; set; } = 16;

    /// <summary>No exit is avoided when fewer than this many would remain. Default 50, 1 to 10000.</summary>
    public int MinRemainingExits { get; set; } = 50;

    /// <summary>Whether what used a broken circuit gets a new one. Default yes.</summary>
    public bool Rebuild { get; set; } = true;
}
