using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Reload;

namespace TorBalancer.Admin.Reload;

/// <summary>What became of a reload.</summary>
/// <param name="Changed">What is in force now and was not before.</param>
/// <param name="RestartNeeded">What is configured otherwise now, and goes on as it was.</param>
/// <param name="Errors">Why everything is as it was; none: it was put into force.</param>
internal sealed record ReloadOutcome(
    IReadOnlyList<ConfigurationChange> Changed, IReadOnlyList<ConfigurationChange> RestartNeeded, IReadOnlyList<ConfigurationIssue> Errors)
{
    /// <summary>The daemon is stopping: nothing was read.</summary>
    public bool IsStopping { get; init; }

    public bool IsDone => Errors.Count == 0 && !IsStopping;

    public static ReloadOutcome Stopping { get; } = new([], [], []) { IsStopping = true };

    public static ReloadOutcome Failed(IReadOnlyList<ConfigurationIssue> errors) => new([], [], errors);
}
