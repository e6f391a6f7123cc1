using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Advice;

/// <summary>
/// Finds what a refused value was meant to be. Whatever is suggested was tried first: the key accepts it, or it is not suggested.
/// </summary>
internal static class ValueAdvice
{
    /// <summary>A list of so many wrong items is left to its owner.</summary>
    private const int MaxRounds = 16;

    /// <summary>The problem with a suggestion that is accepted, and with its cause where one is known; else without a suggestion.</summary>
    public static ValueProblem Improve(SchemaKey row, string text, ValueContext context, ValueProblem problem)
    {
        if (problem.Suggestion is not null)
        {
            string next = Replaced(text, problem);
            if (row.Check(next, context) is null)
                return problem;
            if (Accepted(row, next, context) is { } whole)
                return problem with { Suggestion = whole, Item = null };
        }

        foreach (var repair in ValueRepairs.All)
        {
            foreach (string repaired in Repaired(repair, text, problem.Item))
            {
                if (repaired == text || Accepted(row, repaired, context) is not { } accepted)
                    continue;
                string what = repair.Cause.Length == 0 ? problem.What : $"{problem.What} ({repair.Cause})";
                return problem with { What = what, Suggestion = accepted, Item = null };
            }
        }

        return problem with { Suggestion = null };
    }

    /// <summary>The text itself, or what its own suggestions lead to; null: nothing that the key accepts.</summary>
    public static string? Accepted(SchemaKey row, string text, ValueContext context)
    {
        for (int round = 0; round < MaxRounds && text.Length > 0; round++)
        {
            var problem = row.Check(text, context);
            if (problem is null)
                return text;
            if (problem.Suggestion is null)
                return null;
            string next = Replaced(text, problem);
            if (next == text)
                return null;
            text = next;
        }

        return null;
    }

    /// <summary>The text with the suggestion in the place that it is for.</summary>
    public static string Replaced(string text, ValueProblem problem) =>
        problem.Item is null ? problem.Suggestion! : WithItem(text, problem.Item, problem.Suggestion!);

    private static IEnumerable<string> Repaired(ValueRepair repair, string text, string? item)
    {
        foreach (string whole in repair.Try(text))
            yield return whole;
        if (item is null)
            yield break;
        foreach (string one in repair.Try(item))
            yield return WithItem(text, item, one);
    }

    private static string WithItem(string text, string item, string instead)
    {
        string[] items = text.Split(',', StringSplitOptions.TrimEntries);
        int at = Array.IndexOf(items, item);
        if (at >= 0)
            items[at] = instead;
        return string.Join(", ", items);
    }
}
