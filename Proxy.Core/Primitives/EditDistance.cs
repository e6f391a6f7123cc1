namespace TorBalancer.Primitives;

/// <summary>Tells whether two words differ by one typing error.</summary>
internal static class EditDistance
{
    /// <summary>One letter more, one less, one other, or two neighbours swapped.</summary>
    public static bool IsOne(string a, string b)
    {
        if (a == b || Math.Abs(a.Length - b.Length) > 1)
            return false;
        int start = 0;
        while (start < a.Length && start < b.Length && a[start] == b[start])
            start++;
        int endA = a.Length, endB = b.Length;
        while (endA > start && endB > start && a[endA - 1] == b[endB - 1])
        {
            endA--;
            endB--;
        }

        int restA = endA - start, restB = endB - start;
        return (restA <= 1 && restB <= 1) || (restA == 2 && restB == 2 && a[start] == b[start + 1] && a[start + 1] == b[start]);
    }
}
