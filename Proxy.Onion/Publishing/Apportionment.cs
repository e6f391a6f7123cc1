namespace TorBalancer.Onion.Publishing;

/// <summary>Divides places among instances by weight, in whole numbers.</summary>
internal static class Apportionment
{
    /// <summary>Even enough: what clients get then differs by less than the issue of chance.</summary>
    public const double Tolerance = 0.05;

    /// <summary>
    /// How many places each gets: as many as there are, as long as nobody's share is off by more than a twentieth; else the evenest.
    /// </summary>
    /// <param name="weights">At least 1 each.</param>
    /// <param name="limits">The most that each can fill, at least 1.</param>
    /// <param name="places">How many there are, at least as many as instances: everybody gets one.</param>
    public static int[] Divide(IReadOnlyList<int> weights, IReadOnlyList<int> limits, int places)
    {
        int[]? best = null;
        double bestError = double.PositiveInfinity;
        for (int total = Math.Min(places, limits.Sum()); total >= weights.Count; total--)
        {
            int[] counts = DivideExactly(weights, limits, total);
            double error = Error(weights, counts);
            if (error < bestError - 1e-9)
                (best, bestError) = (counts, error);
            if (error <= Tolerance)
                break;
        }

        return best ?? throw new ArgumentException($"{places} places are not enough for {weights.Count} instances", nameof(places));
    }

    /// <summary>One for everybody, then the next to whoever has least for its weight, in their order.</summary>
    private static int[] DivideExactly(IReadOnlyList<int> weights, IReadOnlyList<int> limits, int total)
    {
        int[] counts = new int[weights.Count];
        Array.Fill(counts, 1);
        for (int left = total - counts.Length; left > 0; left--)
        {
            int next = -1;
            for (int i = 0; i < counts.Length; i++)
            {
                // Webster's rule: (count + ½) / weight, compared without division.
                if (counts[i] < limits[i]
                    && (next < 0 || ((2 * counts[i]) + 1L) * weights[next] < ((2 * counts[next]) + 1L) * weights[i]))
                    next = i;
            }

            counts[next]++;
        }

        return counts;
    }

    /// <summary>The share that is off most, relative to what it ought to be; 0: all are exact.</summary>
    public static double Error(IReadOnlyList<int> weights, int[] counts)
    {
        double all = weights.Sum(), total = counts.Sum(), worst = 0;
        for (int i = 0; i < counts.Length; i++)
            worst = Math.Max(worst, Math.Abs((counts[i] / total / (weights[i] / all)) - 1));
        return worst;
    }
}
