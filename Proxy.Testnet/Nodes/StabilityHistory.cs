using System.Globalization;
using System.Text;

namespace TorBalancer.Testnet.Nodes;

/// <summary>
/// What an authority remembers of how long relays stay up. A guard needs the flag Stable, no option forces it, and an
/// authority without memory gives it to the relays whose start lies before the median, by the second: which relays can
/// be guards, or whether any can, would be chance. With this history all of them are stable from the first vote on.
/// <code>
///   format 2
///   stored-at 2026-01-02 03:04:05
///   tracked-since 2025-12-03 03:04:05
///   data
///   R 0123456789ABCDEF0123456789ABCDEF01234567     identity
///   +MTBF 10000000 1.00000                         weighted run length (s), sum of weights
///   +WFU 10000000 10000000                         weighted uptime, total time (s)
///   .
/// </code>
/// </summary>
internal static class StabilityHistory
{
    /// <summary>Its name in the data directory.</summary>
    public const string FileName = "router-stability";

    // Above the five days that make a relay stable whatever the others do.
    private const int RunSeconds = 10_000_000;

    // An authority that has looked on for less than four days goes by uptime instead.
    private static readonly TimeSpan Tracked = TimeSpan.FromDays(120);

    public static string Render(IEnumerable<TestNode> relays, DateTimeOffset now)
    {
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"format 2\nstored-at {now:yyyy-MM-dd HH:mm:ss}\ntracked-since {now - Tracked:yyyy-MM-dd HH:mm:ss}\ndata\n");
        foreach (TestNode relay in relays)
            text.Append(
                CultureInfo.InvariantCulture, $"R {relay.Fingerprint}\n+MTBF {RunSeconds} 1.00000\n+WFU {RunSeconds} {RunSeconds}\n");
        return text.Append(".\n").ToString();
    }
}
