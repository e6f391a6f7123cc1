namespace TorBalancer.Workers;

/// <summary>Who exists and who may be picked at one moment; immutable, replaced as a whole.</summary>
public sealed class WorkerSnapshot
{
    // Made when it is first needed; two threads may both make it, and the two are equal.
    private WorkerSnapshot? _lastResort;

    public static WorkerSnapshot Empty { get; } = new([], 0);

    internal WorkerSnapshot(WorkerState[] all, long generation, bool lastResort = false)
    {
        AllWorkers = all;
        IsLastResort = lastResort;
        EligibleWorkers = Array.FindAll(all, MayPick);
        Generation = generation;
        TotalWeight = EligibleWorkers.Sum(static worker => worker.Model.Weight);
        EqualWeights = Array.TrueForAll(EligibleWorkers, worker => worker.Model.Weight == EligibleWorkers[0].Model.Weight);
    }

    /// <summary>The same moment, with every worker pickable that the operator has not drained.</summary>
    internal WorkerSnapshot LastResort => _lastResort ??= new WorkerSnapshot(AllWorkers, Generation, lastResort: true);

    /// <summary>Every worker in the order of the file.</summary>
    public IReadOnlyList<WorkerState> All => AllWorkers;

    /// <summary>True for the pool as it is tried when nobody is eligible: every worker that the operator has not drained.</summary>
    internal bool IsLastResort { get; }

    internal bool MayPick(WorkerState worker) =>
        worker.IsEligible || (IsLastResort && worker.Administrative == WorkerAdministrativeState.Enabled && worker.Model.IsAddressKnown);

    /// <summary>Grows with every change of the set of configured workers (not of their states).</summary>
    internal long Generation { get; }

    internal WorkerState[] AllWorkers { get; }

    /// <summary>Those that may be picked, in the order of the file.</summary>
    internal WorkerState[] EligibleWorkers { get; }

    internal int TotalWeight { get; }

    internal bool EqualWeights { get; }
}
