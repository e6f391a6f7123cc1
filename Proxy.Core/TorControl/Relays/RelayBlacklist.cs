using TorBalancer.Configuration.Options;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>A relay that is avoided for a while.</summary>
/// <param name="Evidence">Why.</param>
/// <param name="Since">When it was listed.</param>
/// <param name="Until">When it is used again.</param>
/// <param name="Listed">Monotonic; decides about expiry whatever the wall clock does.</param>
internal sealed record BlacklistEntry(RelayName Relay, EvidenceView Evidence, DateTimeOffset Since, DateTimeOffset Until, long Listed);

/// <summary>
/// The exits that one worker avoids: an immutable set, swapped whole. It only ever holds a small part of what there is,
/// because whoever makes honest exits look bad would otherwise choose ours.
/// </summary>
internal sealed class RelayBlacklist(Live<BlacklistOptions> options, TimeProvider time)
{
    /// <summary>Below this many exits a share of their weight means nothing, and a share of their number is used.</summary>
    internal const int SmallNetwork = 50;

    /// <summary>At most this share of the exits' consensus weight is avoided: more would move us measurably.</summary>
    internal const double MaxWeightShare = 0.03;

    /// <summary>In a small network at least this share of the exits stays.</summary>
    internal const double MinRemainingShare = 0.5;

    private readonly Lock _lock = new();
    private BlacklistEntry[] _entries = [];

    /// <summary>The oldest first. May hold entries that are over and not yet taken out.</summary>
    public IReadOnlyList<BlacklistEntry> Entries => Volatile.Read(ref _entries);

    public bool Contains(string fingerprint) => Array.Exists(Volatile.Read(ref _entries), entry => entry.Relay.Fingerprint == fingerprint);

    /// <summary>Lists a relay; the oldest make room. False with the reason when the bounds do not allow it at all.</summary>
    public bool TryAdd(RelayName relay, EvidenceView evidence, ExitConsensus consensus, out string? refused)
    {
        refused = null;
        if (!consensus.Contains(relay.Fingerprint))
            refused = "it is not an exit of the consensus";
        else if (Problem([relay.Fingerprint], consensus) is { } problem)
            refused = problem;
        if (refused is not null)
            return false;

        var now = time.GetUtcNow();
        var entry = new BlacklistEntry(relay, evidence, now, now + options.Value.Duration, time.GetTimestamp());
        lock (_lock)
        {
            List<BlacklistEntry> next = [.. _entries.Where(old => old.Relay.Fingerprint != relay.Fingerprint && !IsOver(old)), entry];
            while (Problem([.. next.Select(static one => one.Relay.Fingerprint)], consensus) is not null)
                next.RemoveAt(0);
            Volatile.Write(ref _entries, [.. next]);
        }

        return true;
    }

    /// <summary>The consensus changed: the oldest go until the bounds hold again.</summary>
    public void Enforce(ExitConsensus consensus)
    {
        lock (_lock)
        {
            List<BlacklistEntry> next = [.. _entries.Where(entry => consensus.Contains(entry.Relay.Fingerprint))];
            while (next.Count > 0 && Problem([.. next.Select(static one => one.Relay.Fingerprint)], consensus) is not null)
                next.RemoveAt(0);
            if (next.Count != _entries.Length)
                Volatile.Write(ref _entries, [.. next]);
        }
    }

    /// <summary>Goes on with what another process of ours had listed; the bounds hold from the next look at the consensus on.</summary>
    public void Adopt(IEnumerable<BlacklistEntry> entries)
    {
        lock (_lock)
            Volatile.Write(ref _entries, [.. entries]);
    }

    /// <summary>True when it was listed.</summary>
    public bool Remove(string fingerprint) => RemoveWhere(entry => entry.Relay.Fingerprint == fingerprint).Count > 0;

    /// <summary>Takes out what is over, and returns it.</summary>
    public IReadOnlyList<BlacklistEntry> RemoveExpired() => RemoveWhere(IsOver);

    /// <summary>True when something was listed.</summary>
    public bool Clear() => RemoveWhere(static _ => true).Count > 0;

    /// <summary>The time to the next expiry; null when nothing is listed.</summary>
    public TimeSpan? UntilNextExpiry()
    {
        TimeSpan? next = null;
        foreach (var entry in Entries)
        {
            var left = entry.Until - entry.Since - time.GetElapsedTime(entry.Listed);
            next = next is null || left < next ? left : next;
        }

        return next < TimeSpan.Zero ? TimeSpan.Zero : next;
    }

    private bool IsOver(BlacklistEntry entry) => time.GetElapsedTime(entry.Listed) >= entry.Until - entry.Since;

    private List<BlacklistEntry> RemoveWhere(Predicate<BlacklistEntry> condition)
    {
        lock (_lock)
        {
            var removed = new List<BlacklistEntry>(Array.FindAll(_entries, condition));
            if (removed.Count > 0)
                Volatile.Write(ref _entries, Array.FindAll(_entries, entry => !condition(entry)));
            return removed;
        }
    }

    /// <summary>Which bound these relays together break; null: none.</summary>
    private string? Problem(List<string> relays, ExitConsensus consensus)
    {
        int remaining = consensus.Count - relays.Count;
        if (relays.Count > options.Value.MaxRelays)
            return "too many relays";
        if (remaining < options.Value.MinRemainingExits)
            return $"only {remaining} exits would remain";
        if (consensus.Count < SmallNetwork)
            return remaining < consensus.Count * MinRemainingShare ? "too small a share of the exits would remain" : null;
        return relays.Sum(consensus.WeightOf) > consensus.TotalWeight * MaxWeightShare ? "too much of the exits' weight" : null;
    }
}
