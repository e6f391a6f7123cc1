namespace TorBalancer.Onion.Publishing;

/// <summary>Times of a clock that may be set back while they are waited for.</summary>
internal static class WallClock
{
    /// <summary>
    /// True from that time on. Further away than it is ever put is what the clock was set back from: that is due as well.
    /// </summary>
    /// <param name="longest">The furthest that it is ever put.</param>
    public static bool IsDue(DateTimeOffset at, TimeSpan longest, DateTimeOffset now) => now >= at || at - now > longest;

    /// <summary>True when it is so long ago, or lies ahead since the clock was set back.</summary>
    public static bool IsOver(DateTimeOffset since, TimeSpan limit, DateTimeOffset now) => now < since || now - since >= limit;
}
