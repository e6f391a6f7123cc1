using TorBalancer.Onion.Descriptors;

namespace TorBalancer.Onion.Publishing;

/// <summary>Which introduction points stand in the descriptor that each directory gets.</summary>
internal static class IntroductionPlan
{
    /// <summary>
    /// One set for all directories: at most 20, by weight, in an order that chance decides. Instances beyond the first 20 of that order
    /// are left out: more of them need <see cref="Distinct"/>.
    /// </summary>
    public static IReadOnlyList<IntroductionPoint> Single(IReadOnlyList<InstancePoints> instances, Random random)
    {
        var chosen = Shuffled(instances, random).Take(DescriptorBuilder.MaxIntroductionPoints).ToArray();
        if (chosen.Length == 0)
            return [];
        int[] counts = Apportionment.Divide(
            [.. chosen.Select(static one => one.Weight)], [.. chosen.Select(static one => one.Points.Count)],
            DescriptorBuilder.MaxIntroductionPoints);
        var points = chosen.SelectMany((one, i) => Shuffled(one.Points, random).Take(counts[i])).ToArray();
        random.Shuffle(points);
        return points;
    }

    /// <summary>
    /// A set for each directory, together even over all instances: a client asks one of the directories that it knows of, and whichever
    /// it is, it finds up to 20 introduction points; over all of them, each instance stands as often as its weight asks for.
    /// </summary>
    /// <param name="fetched">How many directories clients ask, at least 1. Sets beyond them go on in the same order: when a directory goes,
    /// one that nobody asked moves up, and brings other instances.</param>
    /// <param name="total">How many sets are wanted, at least <paramref name="fetched"/>.</param>
    public static IReadOnlyList<IReadOnlyList<IntroductionPoint>> Distinct(
        IReadOnlyList<InstancePoints> instances, int fetched, int total, Random random)
    {
        var order = Shuffled(instances, random);
        if (order.Length == 0)
            return [];
        int places = fetched * DescriptorBuilder.MaxIntroductionPoints;
        if (order.Length > places)
            order = order[..places];

        // An instance stands in a descriptor once: clients that fetch it find as many different ones as there is room for.
        int[] limits = new int[order.Length];
        Array.Fill(limits, fetched);
        int[] counts = Apportionment.Divide([.. order.Select(static one => one.Weight)], limits, places);
        int[] sequence = Interleave(counts);
        var sets = new IReadOnlyList<IntroductionPoint>[total];
        int[] used = new int[order.Length];
        int at = 0;
        for (int set = 0; set < total; set++)
        {
            // Sizes that differ by one at most; a place within the sequence goes on from set to set, around and around.
            int inCycle = set % fetched;
            int size = ((inCycle + 1) * sequence.Length / fetched) - (inCycle * sequence.Length / fetched);
            var points = new List<IntroductionPoint>(size);
            var present = new HashSet<int>();
            for (int i = 0; i < size; i++)
            {
                int instance = sequence[at++ % sequence.Length];
                if (present.Add(instance))
                    points.Add(order[instance].Points[used[instance]++ % order[instance].Points.Count]);
            }

            var shuffled = points.ToArray();
            random.Shuffle(shuffled);
            sets[set] = shuffled;
        }

        return sets;
    }

    /// <summary>Each instance as often as it counts, its places as far from each other as they can be.</summary>
    private static int[] Interleave(int[] counts) =>
    [
        .. counts
            .SelectMany(
                static (count, instance) => Enumerable.Range(0, count).Select(copy => (Instance: instance, At: (copy + 0.5) / count)))
            .OrderBy(static place => place.At).ThenBy(static place => place.Instance)
            .Select(static place => place.Instance),
    ];

    private static T[] Shuffled<T>(IReadOnlyList<T> items, Random random)
    {
        T[] copy = [.. items];
        random.Shuffle(copy);
        return copy;
    }
}
