namespace TorBalancer.Workers;

/// <summary>Who exists and who may be picked at one moment; immutable, replaced as a whole.</summary>
public sealed class WorkerSnapshot
{
    public static WorkerSnapshot Empty { get; } = new([], 0);

    internal WorkerSnapshot(WorkerState[] all, long generation)
    {
        AllWorkers = all;
        EligibleWorkers = Array.FindAll(all, static worker => worker.IsEligible);
        Generation = generation;
        TotalWeight = EligibleWorkers.Sum(static worker => worker.Model.Weight);
        EqualWeights = EligibleWorkers.Length == 0 || Array.TrueForAll(EligibleWorkers, worker => worker.Model.Weight == EligibleWorkers[0].Model.Weight);
    }

    /// <summary>Every worker in the order of the file.</summary>
    public IReadOnlyList<WorkerState> All => AllWorkers;

    /// <summary>Those that may be picked, in the order of the file.</summary>
    public IReadOnlyList<WorkerState> Eligible => EligibleWorkers;

    /// <summary>Grows with every change of the set of configured workers (not of their states).</summary>
    internal long Generation { get; }

    internal WorkerState[] AllWorkers { get; }

    internal WorkerState[] EligibleWorkers { get; }

    internal int TotalWeight { get; }

    internal bool EqualWeights { get; }
}
