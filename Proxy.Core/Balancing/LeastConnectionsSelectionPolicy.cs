using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>
/// The worker with the fewest connections for its weight, those being dialled included. Ties rotate: the scan starts
/// one place further each time.
/// </summary>
internal sealed class LeastConnectionsSelectionPolicy : IWorkerSelectionPolicy
{
    private uint _offset;

    public string Name => SelectionPolicyNames.LeastConnections;

    public WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context)
    {
        var eligible = snapshot.EligibleWorkers;
        if (eligible.Length == 0)
            return null;
        int start = (int)(Interlocked.Increment(ref _offset) % (uint)eligible.Length);
        WorkerState? best = null;
        double least = double.MaxValue;
        for (int step = 0; step < eligible.Length; step++)
        {
            int at = start + step;
            var worker = eligible[at < eligible.Length ? at : at - eligible.Length];
            double load = worker.Load;
            if (load < least && context.Admits(worker))
            {
                best = worker;
                least = load;
            }
        }

        return best;
    }
}
