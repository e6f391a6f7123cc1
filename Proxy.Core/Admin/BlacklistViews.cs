using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Admin;

/// <summary>One exit that a worker avoids.</summary>
internal sealed record BlacklistedRelayView
{
    /// <summary>$FINGERPRINT~nickname.</summary>
    public required string Relay { get; init; }

    public required string Fingerprint { get; init; }

    /// <summary>Null: not known.</summary>
    public string? Nickname { get; init; }

    /// <summary>The worker that avoids it; lists are not shared.</summary>
    public required string Worker { get; init; }

    /// <summary>What it is avoided for, in words.</summary>
    public required string Why { get; init; }

    public required DateTimeOffset Since { get; init; }

    public required DateTimeOffset Until { get; init; }

    /// <summary>Until it is used again, milliseconds.</summary>
    public required long ExpiresMs { get; init; }

    /// <summary>True when the worker's tor has been told.</summary>
    public required bool InForce { get; init; }
}

/// <summary>GET /api/v1/blacklist: by worker, the oldest first.</summary>
internal sealed record BlacklistedRelaysView(IReadOnlyList<BlacklistedRelayView> Relays);

/// <summary>The answer to DELETE /api/v1/blacklist.</summary>
/// <param name="Removed">How many entries are gone, over all workers.</param>
internal sealed record BlacklistRemovalView(int Removed);

/// <summary>The exits that are avoided, for people and programs that look on.</summary>
internal sealed class BlacklistViews(RelayWatchService relays, TimeProvider time)
{
    public BlacklistedRelaysView All()
    {
        var now = time.GetUtcNow();
        return new BlacklistedRelaysView([.. relays.Blacklist.Select(entry => new BlacklistedRelayView
        {
            Relay = new RelayName(entry.Fingerprint, entry.Nickname).ToString(),
            Fingerprint = entry.Fingerprint,
            Nickname = entry.Nickname,
            Worker = entry.WorkerId,
            Why = entry.Why,
            Since = entry.Since,
            Until = entry.Until,
            ExpiresMs = Math.Max(0, (long)(entry.Until - now).TotalMilliseconds),
            InForce = entry.IsInForce,
        })]);
    }
}
