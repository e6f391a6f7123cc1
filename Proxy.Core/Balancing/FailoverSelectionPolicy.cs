using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>The first worker of the file that may be picked; returns to the primary as soon as that is back.</summary>
internal sealed class FailoverSelectionPolicy : IWorkerSelectionPolicy
{
    public string Name => SelectionPolicyNames.Failover;

    public WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context)
    {
        foreach (var worker in snapshot.EligibleWorkers)
        {
            if (context.Admits(worker))
                return worker;
        }

        return null;
    }

    public void Weigh(WorkerSnapshot snapshot, in SelectionContext context, SelectionOdds odds)
    {
        // Picking changes nothing here.
        if (Pick(snapshot, context) is { } worker)
            odds.Add(worker, 1);
    }
}
