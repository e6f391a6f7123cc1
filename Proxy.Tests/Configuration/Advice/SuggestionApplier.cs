using System.Text.RegularExpressions;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration.Advice;

/// <summary>Does to a configuration what its messages say, as a user would: nothing but the messages is known here.</summary>
internal static partial class SuggestionApplier
{
    /// <summary>The text with every suggestion applied, and how many errors made none that can be applied.</summary>
    public static (string Text, int Left) Apply(string text, IReadOnlyList<ConfigurationIssue> errors)
    {
        var lines = text.Split('\n').ToList();
        var moved = new List<(string Section, string Entry)>();
        int left = 0;
        foreach (var error in errors)
        {
            int at = error.Origin.Line - 1;
            if (at < 0 || !TryApply(lines, at, error.Message, moved))
                left++;
        }

        foreach (var (section, entry) in moved)
        {
            int header = lines.IndexOf($"[{section}]");
            if (header < 0)
            {
                lines.Add($"[{section}]");
                header = lines.Count - 1;
            }

            lines.Insert(header + 1, entry);
        }

        return (string.Join('\n', lines), left);
    }

    private static bool TryApply(List<string> lines, int at, string message, List<(string Section, string Entry)> moved)
    {
        string line = lines[at];
        if (message.Contains('…', StringComparison.Ordinal) && message.EndsWith("…\"?", StringComparison.Ordinal))
            return false;
        if (MeantHeader().Match(message) is { Success: true } header)
        {
            lines[at] = header.Groups[1].Value;
            return true;
        }

        if (MeantElsewhere().Match(message) is { Success: true } elsewhere)
        {
            moved.Add((elsewhere.Groups[2].Value, elsewhere.Groups[1].Value));
            lines[at] = "";
            return true;
        }

        if (MeantHere().Match(message) is { Success: true } here)
        {
            string meant = here.Groups[1].Value.Split("\", \"")[0].Split("\" or \"")[0];
            bool isValue = !message.Contains(" has no key ", StringComparison.Ordinal)
                && !message.StartsWith("neither ", StringComparison.Ordinal);
            lines[at] = isValue ? WithValue(line, meant, message)
                : meant.Contains(" = ", StringComparison.Ordinal) ? meant
                : meant + " =" + line[(line.IndexOf('=') + 1)..];
            return true;
        }

        if (Belongs().Match(message) is { Success: true } home)
        {
            bool isNamed = home.Groups[1].Value is { Length: > 0 } and not "it";
            moved.Add((home.Groups[2].Value, isNamed ? home.Groups[1].Value + " =" + line[(line.IndexOf('=') + 1)..] : line));
            lines[at] = "";
            return true;
        }

        return false;
    }

    /// <summary>In the place of the item that the message names, or else of the whole value.</summary>
    private static string WithValue(string line, string value, string message)
    {
        string key = line[..(line.IndexOf('=') + 1)], old = line[key.Length..].Trim();
        if (Item().Match(message) is { Success: true } item && !value.Contains(',', StringComparison.Ordinal))
            value = old.Replace(item.Groups[1].Value, value, StringComparison.Ordinal);
        return $"{key} {value}";
    }

    [GeneratedRegex(@"did you mean (\[[^\]]+\])\?$")]
    private static partial Regex MeantHeader();

    [GeneratedRegex(@"did you mean ""(.+)"" in \[([^\]]+)\].*\?$")]
    private static partial Regex MeantElsewhere();

    [GeneratedRegex(@"did you mean ""(.+)""\?(?:; \w+ belongs into .*)?$")]
    private static partial Regex MeantHere();

    [GeneratedRegex(@"(\w*),?(?: which)? belongs into \[([^\]]+)\]")]
    private static partial Regex Belongs();

    [GeneratedRegex("has \"([^\"]*)\", which")]
    private static partial Regex Item();
}
