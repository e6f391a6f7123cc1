using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>
/// CONF_CHANGED: options were set or reset, by any controller.
/// <code>
/// 650-CONF_CHANGED
/// 650-Key=value        set (several lines for an option that is a list)
/// 650-Key              back to its default
/// 650 OK
/// </code>
/// </summary>
internal sealed class ConfChangedEvent : ControlEvent
{
    private ConfChangedEvent(IReadOnlyList<KeyValuePair<string, string?>> changes)
        : base("CONF_CHANGED", ControlKeywords.Empty)
        => Changes = changes;

    /// <summary>Options and their new values, null for the default, in the order in which they came.</summary>
    public IReadOnlyList<KeyValuePair<string, string?>> Changes { get; }

    public static ConfChangedEvent Parse(IReadOnlyList<ControlReplyLine> lines)
    {
        var changes = new List<KeyValuePair<string, string?>>();
        for (int i = 1; i < lines.Count; i++)
        {
            string text = lines[i].Text;
            bool last = i == lines.Count - 1;
            if (text.Length > 0 && !(last && text == "OK"))
                changes.Add(ControlConfLine.Parse(text));
        }

        return new ConfChangedEvent(changes);
    }
}
