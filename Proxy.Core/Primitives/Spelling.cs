namespace TorBalancer.Primitives;

/// <summary>Finds what a misspelt word was probably meant to be.</summary>
internal static class Spelling
{
    private const int MaxLength = 64;

    /// <summary>
    /// The candidate nearest to <paramref name="word"/>, letter case ignored: at most two edits away (one for words of
    /// up to three letters), or else the only one that begins with it. Null when nothing is near.
    /// </summary>
    public static string? Closest(string word, IEnumerable<string> candidates)
    {
        if (word.Length is 0 or > MaxLength)
            return null;
        string? best = null, prefixed = null;
        int limit = word.Length <= 3 ? 1 : 2;
        int bestDistance = limit + 1, prefixes = 0;
        foreach (string candidate in candidates)
        {
            if (word.Length >= 3 && candidate.StartsWith(word, StringComparison.OrdinalIgnoreCase))
            {
                prefixed = candidate;
                prefixes++;
            }

            if (Math.Abs(candidate.Length - word.Length) > limit)
                continue;
            int distance = Distance(word, candidate);
            if (distance < bestDistance)
            {
                bestDistance = distance;
                best = candidate;
            }
        }

        return best ?? (prefixes == 1 ? prefixed : null);
    }

    /// <summary>
    /// Damerau-Levenshtein distance in its restricted form (optimal string alignment): insertions, deletions,
    /// substitutions and swaps of neighbours each count one. Letter case does not count.
    /// </summary>
    public static int Distance(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        int width = right.Length + 1;
        var twoBack = new int[width];
        var previous = new int[width];
        var current = new int[width];
        for (int j = 0; j < width; j++)
            previous[j] = j;
        for (int i = 1; i <= left.Length; i++)
        {
            current[0] = i;
            for (int j = 1; j < width; j++)
            {
                int cost = Same(left[i - 1], right[j - 1]) ? 0 : 1;
                int best = Math.Min(Math.Min(previous[j] + 1, current[j - 1] + 1), previous[j - 1] + cost);
                if (i > 1 && j > 1 && Same(left[i - 1], right[j - 2]) && Same(left[i - 2], right[j - 1]))
                    best = Math.Min(best, twoBack[j - 2] + 1);
                current[j] = best;
            }

            (twoBack, previous, current) = (previous, current, twoBack);
        }

        return previous[right.Length];
    }

    private static bool Same(char a, char b) => char.ToLowerInvariant(a) == char.ToLowerInvariant(b);
}
