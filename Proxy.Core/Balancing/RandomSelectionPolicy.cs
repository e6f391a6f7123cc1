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

        int total = 0;
        foreach (var worker in eligible)
        {
            if (context.Admits(worker))
                total += worker.Model.Weight;
        }

        if (total == 0)
            return null;
        int point = random.Next(total);
        foreach (var worker in eligible)
        {
            if (!context.Admits(worker))
                continue;
            point -= worker.Model.Weight;
            if (point < 0)
                return worker;
        }

        return null;
    }
}
