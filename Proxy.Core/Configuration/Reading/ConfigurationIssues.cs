using System.Globalization;

namespace TorBalancer.Configuration.Reading;

/// <summary>Collects what is wrong, so that a user sees all of it at once.</summary>
internal sealed class ConfigurationIssues
{
    /// <summary>More than this are only counted: a file that is no configuration at all should not print itself back.</summary>
    public const int MaxKept = 200;

    private readonly List<ConfigurationIssue> _errors = [];
    private readonly List<ConfigurationIssue> _warnings = [];
    private readonly List<string> _files = [];
    private int _errorsLeftOut;
    private int _warningsLeftOut;

    /// <summary>Called for each file in the order in which they are read.</summary>
    public void BeginFile(string name) => _files.Add(name);

    public void Error(ConfigurationOrigin origin, string message, IssueSubject about = default) =>
        Add(_errors, ref _errorsLeftOut, new ConfigurationIssue(origin, message) { Subject = about });

    public void Warning(ConfigurationOrigin origin, string message) =>
        Add(_warnings, ref _warningsLeftOut, new ConfigurationIssue(origin, message));

    public IReadOnlyList<ConfigurationIssue> Errors() => Sorted(_errors, _errorsLeftOut, "errors");

    public IReadOnlyList<ConfigurationIssue> Warnings() => Sorted(_warnings, _warningsLeftOut, "warnings");

    // Messages are one line each, for terminals and logs. What they repeat of a file may hold anything, and an advice repeats it as it is.
    private static void Add(List<ConfigurationIssue> list, ref int leftOut, ConfigurationIssue issue)
    {
        if (issue.Message.Any(char.IsControl))
            issue = issue with { Message = string.Concat(issue.Message.Select(static c => char.IsControl(c) ? '?' : c)) };
        if (list.Count < MaxKept)
            list.Add(issue);
        else
            leftOut++;
    }

    /// <summary>In the order in which a reader walks through them: each file from top to bottom, environment, command line.</summary>
    private List<ConfigurationIssue> Sorted(List<ConfigurationIssue> list, int leftOut, string what)
    {
        // The usual thing, for which the sorting would be compiled at every start.
        if (list.Count == 0)
            return [];

        // OrderBy is stable: several issues of one line stay in the order in which they were found.
        var sorted = list.OrderBy(issue => issue.Origin.Layer)
            .ThenBy(issue => issue.Origin.Layer == ConfigurationLayer.File ? _files.IndexOf(issue.Origin.Name) : 0)
            .ThenBy(issue => issue.Origin.Line)
            .ToList();
        if (leftOut > 0)
        {
            var last = sorted[^1].Origin;
            sorted.Add(new ConfigurationIssue(last, string.Create(CultureInfo.InvariantCulture, $"and {leftOut} more {what}")));
        }

        return sorted;
    }
}
