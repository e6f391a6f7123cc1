using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>How likely each worker is to be picked: shares of 1. Workers that are not in it cannot be.</summary>
internal sealed class SelectionOdds
{
    private readonly Dictionary<WorkerState, double> _shares = [];

    /// <summary>Those that may be picked, in the order in which they were added.</summary>
    public IReadOnlyDictionary<WorkerState, double> Shares => _shares;

    /// <summary>The share of a worker; 0: it cannot be picked.</summary>
    public double Of(WorkerState worker) => _shares.GetValueOrDefault(worker);

    /// <summary>Adds to a worker's share.</summary>
    public void Add(WorkerState worker, double share)
    {
        if (share > 0)
            _shares[worker] = Of(worker) + share;
    }
}
