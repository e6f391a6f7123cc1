using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>
/// Two different workers at random; the one with the lower cost is taken. Nearly as even as the least loaded of all,
/// without every connection of a moment rushing to the same one. The cost is what two modes differ in.
/// </summary>
internal abstract class TwoChoicesSelectionPolicy(IRandomSource random) : IWorkerSelectionPolicy
{
    public abstract string Name { get; }

    public WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context)
    {
        var eligible = snapshot.EligibleWorkers;
        int count = context.CountAdmitted(eligible);
        if (count == 0)
            return null;
        int first = random.Next(count);
        var a = Nth(eligible, first, context);
        if (count == 1)
            return a;

        // Two different ones, each pair equally likely.
        int second = random.Next(count - 1);
        if (second >= first)
            second++;
        var b = Nth(eligible, second, context);
        return a is null || b is null ? a ?? b : Cheaper(a, b);
    }

    public void Weigh(WorkerSnapshot snapshot, in SelectionContext context, SelectionOdds odds)
    {
        var eligible = snapshot.EligibleWorkers;
        var admitted = new List<WorkerState>(eligible.Length);
        for (int i = 0, count = context.CountAdmitted(eligible); i < count; i++)
        {
            if (Nth(eligible, i, context) is { } worker)
                admitted.Add(worker);
        }

        if (admitted.Count == 1)
            odds.Add(admitted[0], 1);
        double share = 1.0 / (admitted.Count * (admitted.Count - 1L));
        for (int first = 0; first < admitted.Count; first++)
        {
            for (int second = 0; second < admitted.Count; second++)
            {
                if (second != first)
                    odds.Add(Cheaper(admitted[first], admitted[second]), share);
            }
        }
    }

    /// <summary>Of two picks; of equals the first.</summary>
    private WorkerState Cheaper(WorkerState a, WorkerState b) => Cost(a) <= Cost(b) ? a : b;

    protected abstract double Cost(WorkerState worker);

    private static WorkerState? Nth(WorkerState[] eligible, int index, in SelectionContext context)
    {
        if (context.AdmitsAll)
            return eligible[index];
        WorkerState? last = null;
        foreach (var worker in eligible)
        {
            if (!context.Admits(worker))
                continue;
            last = worker;
            if (index-- == 0)
                return worker;
        }

        // Another connection took the last clean circuit of one since they were counted.
        return last;
    }
}

/// <summary>Two random picks, the lower load wins.</summary>
internal sealed class PowerOfTwoSelectionPolicy(IRandomSource random) : TwoChoicesSelectionPolicy(random)
{
    public override string Name => SelectionPolicyNames.PowerOfTwo;

    protected override double Cost(WorkerState worker) => worker.Load;
}

/// <summary>
/// Two random picks, the one with the lower expected wait wins: its moving average of connect times, times the
/// connections it would then carry. A worker that was never measured costs nothing, so that it is measured soon.
/// </summary>
internal sealed class FastestSelectionPolicy(IRandomSource random) : TwoChoicesSelectionPolicy(random)
{
    public override string Name => SelectionPolicyNames.Fastest;

    protected override double Cost(WorkerState worker) => worker.ConnectTimeMs * (worker.Active + 1) / worker.Model.Weight;
}
