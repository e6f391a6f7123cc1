using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>An asynchronous message of tor's. What a typed one does not name is in its <see cref="Keywords"/>.</summary>
/// <param name="name">The event's keyword, for example CIRC.</param>
/// <param name="keywords">Its KEY=value part.</param>
internal abstract class ControlEvent(string name, ControlKeywords keywords)
{
    /// <summary>The event's keyword, for example CIRC.</summary>
    public string Name { get; } = name;

    /// <summary>The KEY=value part, keys that we do not know included.</summary>
    public ControlKeywords Keywords { get; } = keywords;
}

/// <summary>Any event that has no type of its own, and one of a known keyword that could not be read.</summary>
/// <param name="text">What stands behind the keyword on the first line.</param>
/// <param name="lines">All lines, the first with its keyword; their data blocks included.</param>
internal sealed class GenericEvent(string name, string text, IReadOnlyList<ControlReplyLine> lines)
    : ControlEvent(name, new ControlTokens(text).Keywords())
{
    public string Text { get; } = text;

    public IReadOnlyList<ControlReplyLine> Lines { get; } = lines;
}

/// <summary>
/// Not from tor: the consumer was slower than the events, and this many were dropped before the next one. What it
/// believed to know is stale: it should ask again with GETINFO.
/// </summary>
internal sealed class EventsLostEvent(long count) : ControlEvent("EVENTS_LOST", ControlKeywords.Empty)
{
    public long Count { get; } = count;
}
