using TorBalancer.Configuration.Advice;
using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>
/// Values of the file that can be read in two ways, and of which free text (a password, a path, a command) would silently take
/// the wrong one. They are refused; double quotes around the whole value say that every character of it is meant.
/// </summary>
internal static class ValueSyntax
{
    /// <summary>What is wrong with the way in which the value is written; null: nothing.</summary>
    public static ValueProblem? Check(SchemaKey row, ConfEntry entry, ValueContext context)
    {
        if (ConfEncoding.Problem(entry.Value) is { } unreadable)
            return new ValueProblem(unreadable, ShowAllowed: false);
        if (entry.IsQuoted)
            return null;
        string text = entry.Value;
        if (text.EndsWith('\\'))
        {
            return new ValueProblem(
                $"ends in a backslash, but no value goes on in the next line{Quoted(row, text, context, "backslash")}",
                ValueAdvice.Accepted(row, text.TrimEnd('\\', ',', ' ', '\t'), context), ShowAllowed: false);
        }

        if (ForeignMarks.CommentSign(text, row.IsSecret) is var (at, sign))
        {
            return new ValueProblem(
                $"has a {sign} that begins no comment: behind a value only a ; after a space does{Quoted(row, text, context, sign)}",
                ValueAdvice.Accepted(row, text[..at].TrimEnd(), context), ShowAllowed: false);
        }

        if (!ForeignMarks.IsInOtherQuotes(text))
            return null;
        return new ValueProblem(
            $"is in quotes that are not taken off: only double quotes (\") are{Quoted(row, text, context, "quotes")}",
            ValueAdvice.Accepted(row, text[1..^1], context), ShowAllowed: false);
    }

    /// <summary>Says how the value is kept as it is, where the key would take it.</summary>
    private static string Quoted(SchemaKey row, string text, ValueContext context, string what) =>
        row.Check(text, context) is null
            ? $"; if the {what} belong{(what == "quotes" ? "" : "s")} to the value, put double quotes around the whole of it"
            : "";
}
