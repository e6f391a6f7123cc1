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
}

/// <summary>What one pick may depend on.</summary>
/// <param name="key">The hash that mode sticky maps to a worker.</param>
/// <param name="tried">Workers that this connection has tried already.</param>
/// <param name="country">Only workers of this country; null: any.</param>
/// <param name="link">Only workers whose link carries one of these; none: a link is not needed.</param>
/// <param name="needsCleanCircuit">Only workers that are known to have a clean circuit.</param>
/// <param name="passOverAt">Now, when workers that could not be reached a moment ago are to be passed over; 0 when not.</param>
internal readonly ref struct SelectionContext(
    ulong key, ReadOnlySpan<WorkerState> tried = default, string? country = null, long passOverAt = 0,
    LinkFamilies link = LinkFamilies.None, bool needsCleanCircuit = false)
{
    private readonly ReadOnlySpan<WorkerState> _tried = tried;

    public ulong Key { get; } = key;

    public string? Country => country;

    /// <summary>True when nothing but eligibility restricts the pick.</summary>
    public bool AdmitsAll => _tried.IsEmpty && country is null && passOverAt == 0 && link == LinkFamilies.None
        && !needsCleanCircuit;

    public bool Admits(WorkerState worker)
    {
        foreach (var tried in _tried)
        {
            if (ReferenceEquals(tried, worker))
                return false;
        }

        return (country is null || worker.Model.Country == country)
            && (link == LinkFamilies.None || (worker.Model.LinkFamilies & link) != 0)
            && (passOverAt == 0 || worker.PassedOverUntil <= passOverAt)
            && (!needsCleanCircuit || worker.Warm?.Clean > 0);
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
