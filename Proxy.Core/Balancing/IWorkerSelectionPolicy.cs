using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>One balancing mode. Thread-safe; runs on the hot path: no lock, no allocation.</summary>
internal interface IWorkerSelectionPolicy
{
    /// <summary>The word users write.</summary>
    string Name { get; }

    /// <summary>The next worker among the eligible ones that the context admits, or null when it admits none.</summary>
    WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context);

    /// <summary>As above, for a policy whose pick only holds as long as that worker has so many connections.</summary>
    /// <param name="active">The worker's connections that the pick went by; -1: it did not go by them.</param>
    WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context, out int active)
    {
        active = -1;
        return Pick(snapshot, context);
    }

    /// <summary>
    /// Adds how likely each worker is to be the next pick, by what <c>Pick</c> goes by itself; takes no turn. For people who ask: may
    /// allocate.
    /// </summary>
    void Weigh(WorkerSnapshot snapshot, in SelectionContext context, SelectionOdds odds);

    /// <summary>
    /// The turn of one selection, for a mode whose picks depend on one: all picks of a selection then go by the same. 0: they do not.
    /// </summary>
    uint TakeTurn() => 0;

    /// <summary>What <see cref="TakeTurn"/> would give now.</summary>
    uint NextTurn => 0;
}

/// <summary>Why a worker that may carry traffic is not for one pick.</summary>
internal enum SelectionObjection : byte
{
    None,

    /// <summary>This connection has tried it.</summary>
    Tried,

    /// <summary>It is not of the country that was asked for.</summary>
    Country,

    /// <summary>It is none of those that may carry the connections of who asks.</summary>
    Choice,

    /// <summary>It has no link for this route.</summary>
    Link,

    /// <summary>It could not be reached a moment ago.</summary>
    PassedOver,

    /// <summary>It has no clean circuit.</summary>
    NoCleanCircuit,
}

/// <summary>What one pick may depend on.</summary>
/// <param name="key">The hash that mode sticky maps to a worker.</param>
/// <param name="tried">Workers that this connection has tried already.</param>
/// <param name="country">Only workers of this country; null: any.</param>
/// <param name="link">Only workers whose link carries one of these; none: a link is not needed.</param>
/// <param name="needsCleanCircuit">Only workers that are known to have a clean circuit.</param>
/// <param name="passOverAt">Now, when workers that could not be reached a moment ago are to be passed over; 0 when not.</param>
/// <param name="turn">What <see cref="IWorkerSelectionPolicy.TakeTurn"/> gave for this selection; 0: the pick takes one of its own.</param>
internal readonly ref struct SelectionContext(
    ulong key, ReadOnlySpan<WorkerState> tried = default, string? country = null, long passOverAt = 0,
    LinkFamilies link = LinkFamilies.None, bool needsCleanCircuit = false, uint turn = 0)
{
    private readonly ReadOnlySpan<WorkerState> _tried = tried;

    public ulong Key { get; } = key;

    /// <summary>The only workers for who asks; null: all.</summary>
    public WorkerChoice? Choice { get; init; }

    public uint Turn => turn;

    public ReadOnlySpan<WorkerState> Tried => _tried;

    public string? Country => country;

    public bool NeedsCleanCircuit => needsCleanCircuit;

    public bool PassesOver => passOverAt != 0;

    /// <summary>True when nothing but eligibility restricts the pick.</summary>
    public bool AdmitsAll => _tried.IsEmpty && country is null && passOverAt == 0 && link == LinkFamilies.None
        && !needsCleanCircuit && Choice is null;

    public bool Admits(WorkerState worker) => ObjectionTo(worker) == SelectionObjection.None;

    /// <summary>What speaks against a worker, apart from whether it may carry traffic at all.</summary>
    public SelectionObjection ObjectionTo(WorkerState worker)
    {
        foreach (var tried in _tried)
        {
            if (ReferenceEquals(tried, worker))
                return SelectionObjection.Tried;
        }

        if (country is not null && worker.Model.Country != country)
            return SelectionObjection.Country;
        if (Choice is not null && !Choice.Admits(worker.Model))
            return SelectionObjection.Choice;
        if (link != LinkFamilies.None && (worker.Model.LinkFamilies & link) == 0)
            return SelectionObjection.Link;
        if (passOverAt != 0 && worker.PassedOverUntil > passOverAt)
            return SelectionObjection.PassedOver;
        return needsCleanCircuit && !(worker.Warm?.Clean > 0) ? SelectionObjection.NoCleanCircuit : SelectionObjection.None;
    }

    public int CountAdmitted(WorkerState[] workers)
    {
        if (AdmitsAll)
            return workers.Length;
        int count = 0;
        foreach (var worker in workers)
        {
            if (Admits(worker))
                count++;
        }

        return count;
    }
}
