namespace TorBalancer.Admin.Events;

/// <summary>Something that happened; immutable.</summary>
/// <param name="Number">Counts from 1 in each run of the daemon.</param>
/// <param name="Time">In UTC.</param>
/// <param name="Kind">A word of <see cref="EventKinds"/>.</param>
/// <param name="Level">info, warning or error.</param>
/// <param name="Message">The line of the log.</param>
/// <param name="Values">The values in that line: names in snake_case; texts, numbers or truth values.</param>
internal sealed record AdminEvent(
    long Number, DateTimeOffset Time, string Kind, string Level, string Message, IReadOnlyList<KeyValuePair<string, object?>> Values);

/// <summary>Where somebody reads: which run of the daemon, and the number of the last event that he has.</summary>
/// <param name="Run">Null: this one.</param>
internal readonly record struct EventPosition(string? Run, long Number);
