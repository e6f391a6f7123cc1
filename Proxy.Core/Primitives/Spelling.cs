namespace TorBalancer.Primitives;

/// <summary>Finds what a misspelt word was probably meant to be.</summary>
internal static class Spelling
{
    private const int MaxLength = 64;

    /// <summary>
    /// The candidate nearest to <paramref name="word"/>, letter case ignored: the same but for separators, at most two edits away
    /// (one for words of up to three letters), or else the only one that begins with it. Null when nothing is near.
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
            if (Same(word, candidate))
                return candidate;
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
    /// The one candidate that begins as <paramref name="word"/> does, for at least four letters and two thirds of the shorter
    /// one, or that is wholly its beginning: Balance is Balancing, Logging is Log. Null when there is none, or several.
    /// </summary>
    public static string? SharingStem(string word, IEnumerable<string> candidates)
    {
        if (word.Length is 0 or > MaxLength || !word.All(static c => char.IsLetterOrDigit(c) || c is '-' or '_'))
            return null;
        string? best = null;
        int longest = 0;
        foreach (string candidate in candidates)
        {
            int shared = 0;
            while (shared < word.Length && shared < candidate.Length && Same(word[shared], candidate[shared]))
                shared++;
            bool isStem = shared >= 4 && shared * 3 >= Math.Min(word.Length, candidate.Length) * 2;
            if ((!isStem && !(shared == candidate.Length && shared >= 3)) || shared < longest)
                continue;
            best = shared == longest ? null : candidate;
            longest = shared;
        }

        return best;
    }

    /// <summary>
    /// True when both are the same word but for letter case and for what people put between its parts: "listen-address" is "ListenAddress".
    /// </summary>
    public static bool Same(string left, string right)
    {
        int i = 0, j = 0;
        while (true)
        {
            while (i < left.Length && IsSeparator(left[i]))
                i++;
            while (j < right.Length && IsSeparator(right[j]))
                j++;
            if (i == left.Length || j == right.Length)
                return i == left.Length && j == right.Length;
            if (!Same(left[i++], right[j++]))
                return false;
        }
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

    private static bool IsSeparator(char c) => c is '-' or '_' or ' ' or '\t';

    private static bool Same(char a, char b) => char.ToLowerInvariant(a) == char.ToLowerInvariant(b);
}
