using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>
/// Weighted rendezvous hashing: every worker gets a score from the key and its id, the highest wins. Losing one of n
/// workers moves its keys only, about 1/n of all, and they come back when it does; nothing is remembered.
/// </summary>
internal sealed class StickySelectionPolicy : IWorkerSelectionPolicy
{
    public string Name => SelectionPolicyNames.Sticky;

    public WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context)
    {
        WorkerState? best = null;
        double highest = double.NegativeInfinity;
        ulong highestHash = 0;
        bool equal = snapshot.EqualWeights;
        foreach (var worker in snapshot.EligibleWorkers)
        {
            if (!context.Admits(worker))
                continue;
            ulong hash = StableHash.Mix(context.Key ^ worker.Model.IdHash);

            // With equal weights the order of the hashes is the order of the scores. Eligible workers may differ from all
            // workers in having equal weights, but the order within them is the same by either formula.
            if (equal)
            {
                if (best is null || hash > highestHash)
                {
                    best = worker;
                    highestHash = hash;
                }

                continue;
            }

            double score = Score(hash, worker.Model.Weight);
            if (score > highest)
            {
                best = worker;
                highest = score;
            }
        }

        return best;
    }

    public void Weigh(WorkerSnapshot snapshot, in SelectionContext context, SelectionOdds odds)
    {
        // Picking changes nothing here.
        if (Pick(snapshot, context) is { } worker)
            odds.Add(worker, 1);
    }

    /// <summary>-weight / ln(u), u uniform in (0, 1): the winner is each worker with its weight's share of chance.</summary>
    private static double Score(ulong hash, int weight) => -weight / Math.Log(((hash >> 11) + 0.5) * (1.0 / (1UL << 53)));
}
