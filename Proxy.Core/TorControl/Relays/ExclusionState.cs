namespace TorBalancer.TorControl.Relays;

/// <summary>The exits that one worker avoids, for a daemon that takes over.</summary>
/// <param name="Put">What stands in tor's ExcludeExitNodes because we have put it there.</param>
internal sealed record ExclusionState(string WorkerId, IReadOnlyList<ExclusionEntryState> Entries, IReadOnlyList<string> Put);

/// <summary>One of them; see <see cref="BlacklistEntry"/>.</summary>
/// <param name="ListedMs">How long it has been listed, milliseconds.</param>
internal sealed record ExclusionEntryState(
    string Fingerprint, string? Nickname, EvidenceView Evidence, DateTimeOffset Since, DateTimeOffset Until, double ListedMs);
