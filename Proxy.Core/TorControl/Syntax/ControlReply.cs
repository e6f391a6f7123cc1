namespace TorBalancer.TorControl.Syntax;

/// <summary>One line of a reply.</summary>
/// <param name="Text">What stands behind the status code, bytes mapped to Latin-1.</param>
/// <param name="Data">The data block behind a <c>+</c> line, each line ended by \n, bytes mapped to Latin-1; else null.</param>
internal readonly record struct ControlReplyLine(string Text, string? Data = null);

/// <summary>A whole reply: of a command, or asynchronous (an event).</summary>
/// <param name="Code">The status code of its last line.</param>
/// <param name="Lines">At least one; the last is the one behind <c>code SP</c>.</param>
internal sealed record ControlReply(int Code, IReadOnlyList<ControlReplyLine> Lines)
{
    /// <summary>6xx: an event, which answers no command.</summary>
    public bool IsAsynchronous => Code is >= 600 and < 700;

    /// <summary>2xx.</summary>
    public bool IsPositive => Code is >= 200 and < 300;

    /// <summary>The text of the last line.</summary>
    public string Text => Lines[^1].Text;
}
