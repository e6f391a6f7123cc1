using TorBalancer.Onion.Descriptors;

namespace TorBalancer.Onion.Publishing;

/// <summary>Which introduction points stand in the descriptor that each directory gets.</summary>
internal static class IntroductionPlan
{
    /// <summary>
    /// One set for all directories: at most 20, by weight, in an order that chance decides. Instances beyond the first 20 of that order
    /// are left out: more of them need <see cref="Distinct"/>. Where two instances would have to be at one relay, which clients take for
    /// one, all get fewer points instead, if that helps.
    /// </summary>
    public static IReadOnlyList<IntroductionPoint> Single(IReadOnlyList<InstancePoints> instances, Random random)
    {
        var chosen = Shuffled(instances, random).Take(DescriptorBuilder.MaxIntroductionPoints).ToArray();
        if (chosen.Length == 0)
            return [];
        int[] weights = [.. chosen.Select(static one => one.Weight)], limits = [.. chosen.Select(static one => one.Points.Count)];
        IntroductionPoint[][] candidates = [.. chosen.Select(one => Shuffled(one.Points, random))];
        IntroductionPoint[]? points = null;
        double allowed = Apportionment.Tolerance;
        for (int places = DescriptorBuilder.MaxIntroductionPoints; places >= chosen.Length; places--)
        {
            int[] counts = Apportionment.Divide(weights, limits, places);
            places = Math.Min(places, counts.Sum());
            int[] owners = [.. counts.SelectMany(static (count, owner) => Enumerable.Repeat(owner, count))];
            var placed = Place([.. owners.Select(owner => candidates[owner])]);
            if (points is null)
                (points, allowed) = (placed, Math.Max(allowed, Apportionment.Error(weights, counts)));
            if (Apportionment.Error(weights, counts) <= allowed && AreApart(placed, owners))
            {
                points = placed;
                break;
            }
        }

        random.Shuffle(points!);
        return points!;
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
            var slots = new List<IReadOnlyList<IntroductionPoint>>(size);
            var present = new HashSet<int>();
            for (int i = 0; i < size; i++)
            {
                int instance = sequence[at++ % sequence.Length];
                if (present.Add(instance))
                    slots.Add(Rotated(order[instance].Points, used[instance]++));
            }

            var points = Place(slots);
            random.Shuffle(points);
            sets[set] = points;
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

    /// <summary>
    /// A point for each slot, at different relays as far as that can be: of two introduction points at one relay tor's clients only ever
    /// use the one that comes first in the descriptor, whichever of them they picked (find_desc_intro_point_by_legacy_id in hs_client.c),
    /// and its instance would have the load of both.
    /// </summary>
    /// <param name="slots">What each may take, the best first: all points of its instance.</param>
    private static IntroductionPoint[] Place(List<IReadOnlyList<IntroductionPoint>> slots)
    {
        var taken = new IntroductionPoint?[slots.Count];
        var holders = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int slot = 0; slot < slots.Count; slot++)
            TryTake(slot, new HashSet<string>(StringComparer.Ordinal));

        // Who got none takes what its instance has left.
        var used = new HashSet<IntroductionPoint>(taken.OfType<IntroductionPoint>(), ReferenceEqualityComparer.Instance);
        for (int slot = 0; slot < slots.Count; slot++)
        {
            if (taken[slot] is not null)
                continue;
            var left = slots[slot].First(point => !used.Contains(point));
            used.Add(left);
            taken[slot] = left;
        }

        return taken!;

        // Whoever holds the relay already may have another one instead.
        bool TryTake(int slot, HashSet<string> tried)
        {
            foreach (var point in slots[slot])
            {
                string relay = point.Relay;
                if (tried.Add(relay) && (!holders.TryGetValue(relay, out int holder) || TryTake(holder, tried)))
                {
                    holders[relay] = slot;
                    taken[slot] = point;
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>No two instances are at one relay.</summary>
    private static bool AreApart(IntroductionPoint[] points, int[] owners)
    {
        var holders = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < points.Length; i++)
        {
            if (!holders.TryAdd(points[i].Relay, owners[i]) && holders[points[i].Relay] != owners[i])
                return false;
        }

        return true;
    }

    private static T[] Rotated<T>(IReadOnlyList<T> items, int by) =>
        [.. Enumerable.Range(0, items.Count).Select(i => items[(i + by) % items.Count])];

    private static T[] Shuffled<T>(IReadOnlyList<T> items, Random random)
    {
        T[] copy = [.. items];
        random.Shuffle(copy);
        return copy;
    }
}
