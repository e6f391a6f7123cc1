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
        return snapshot.EligibleWorkers.Length == 0
            ? null
            : Find(snapshot.EligibleWorkers, context, context.Turn != 0 ? context.Turn : TakeTurn(), out active);
    }

    public void Weigh(WorkerSnapshot snapshot, in SelectionContext context, SelectionOdds odds)
    {
        if (snapshot.EligibleWorkers.Length > 0
            && Find(snapshot.EligibleWorkers, context, context.Turn != 0 ? context.Turn : NextTurn, out _) is { } worker)
            odds.Add(worker, 1);
    }

    public uint TakeTurn() => Interlocked.Increment(ref _offset);

    public uint NextTurn => Volatile.Read(ref _offset) + 1;

    private static WorkerState? Find(WorkerState[] eligible, in SelectionContext context, uint turn, out int active)
    {
        active = 0;
        int start = (int)(turn % (uint)eligible.Length);
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
