using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>Each pick is independent; the chance of a worker is its weight's share.</summary>
internal sealed class RandomSelectionPolicy(IRandomSource random) : IWorkerSelectionPolicy
{
    public string Name => SelectionPolicyNames.Random;

    public WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context)
    {
        var eligible = snapshot.EligibleWorkers;
        if (eligible.Length == 0)
            return null;
        if (context.AdmitsAll && snapshot.EqualWeights)
            return eligible[random.Next(eligible.Length)];

        int total = WeightOf(eligible, context);
        return total == 0 ? null : At(eligible, context, random.Next(total), out _);
    }

    public void Weigh(WorkerSnapshot snapshot, in SelectionContext context, SelectionOdds odds)
    {
        // Every point that the dice can show, in as many steps as there are workers.
        int total = WeightOf(snapshot.EligibleWorkers, context);
        for (int point = 0, left; point < total; point += left)
        {
            if (At(snapshot.EligibleWorkers, context, point, out left) is not { } worker)
                return;
            odds.Add(worker, (double)left / total);
        }
    }

    private static int WeightOf(WorkerState[] eligible, in SelectionContext context)
    {
        int total = 0;
        foreach (var worker in eligible)
        {
            if (context.Admits(worker))
                total += worker.Model.Weight;
        }

        return total;
    }

    /// <summary>Whose point it is.</summary>
    /// <param name="left">How many points are left to it, this one included.</param>
    private static WorkerState? At(WorkerState[] eligible, in SelectionContext context, int point, out int left)
    {
        foreach (var worker in eligible)
        {
            if (!context.Admits(worker))
                continue;
            point -= worker.Model.Weight;
            if (point < 0)
            {
                left = -point;
                return worker;
            }
        }

        left = 0;
        return null;
    }
}
