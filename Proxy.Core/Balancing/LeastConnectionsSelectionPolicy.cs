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

    public WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context) => Pick(snapshot, context, out _);

    public WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context, out int active)
    {
        active = 0;
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
            int count = worker.Active;
            double load = (double)count / worker.Model.Weight;
            if (load < least && context.Admits(worker))
            {
                best = worker;
                least = load;
                active = count;
            }
        }

        return best;
    }
}
