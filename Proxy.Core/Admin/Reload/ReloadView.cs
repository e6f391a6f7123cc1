using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Reload;

namespace TorBalancer.Admin.Reload;

/// <summary>POST /api/v1/reload.</summary>
/// <param name="Changed">What is in force now and was not before, key by key.</param>
/// <param name="RestartNeeded">What is configured otherwise now and goes on as it was.</param>
internal sealed record ReloadView(IReadOnlyList<ChangeView> Changed, IReadOnlyList<ChangeView> RestartNeeded)
{
    public static ReloadView Of(ReloadOutcome outcome) =>
        new([.. outcome.Changed.Select(ChangeView.Of)], [.. outcome.RestartNeeded.Select(ChangeView.Of)]);
}

/// <summary>One key that is configured otherwise. Secrets are not shown.</summary>
/// <param name="Section">"Balancing" or "Worker:w1".</param>
/// <param name="Key">The key.</param>
/// <param name="Old">What it had; null: there was no such section.</param>
/// <param name="New">What it has; null: there is no such section any more.</param>
internal sealed record ChangeView(string Section, string Key, string? Old, string? New)
{
    public static ChangeView Of(ConfigurationChange change) => new(change.Section, change.Key, change.Old, change.New);
}

/// <summary>One mistake in a configuration.</summary>
/// <param name="Message">All of it in words; never holds a secret.</param>
internal sealed record IssueView(string Message)
{
    /// <summary>The file; null: it stands in none.</summary>
    public string? File { get; init; }

    /// <summary>The line in it, from 1; null: it is about the whole file, or there is none.</summary>
    public int? Line { get; init; }

    /// <summary>Where it stands: the same as text, or the environment variable, the command line, the admin API.</summary>
    public required string Origin { get; init; }

    /// <summary>The section, where it is known.</summary>
    public string? Section { get; init; }

    /// <summary>The key, where it is about one.</summary>
    public string? Key { get; init; }

    /// <summary>What was found; null for secrets, and where it is not one value.</summary>
    public string? Found { get; init; }

    /// <summary>What is allowed, where that can be said in words.</summary>
    public string? Allowed { get; init; }

    public static IssueView Of(ConfigurationIssue issue) => new(issue.Message)
    {
        File = issue.Origin.Layer == ConfigurationLayer.File ? issue.Origin.Name : null,
        Line = issue.Origin is { Layer: ConfigurationLayer.File, Line: > 0 and var line } ? line : null,
        Origin = issue.Origin.ToString(),
        Section = issue.Subject.Section,
        Key = issue.Subject.Key,
        Found = issue.Subject.Found,
        Allowed = issue.Subject.Allowed,
    };
}
