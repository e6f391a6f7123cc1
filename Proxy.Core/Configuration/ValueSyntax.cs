namespace TorBalancer.Configuration;

/// <summary>
/// Values of the file that can be read in two ways, and of which free text (a password, a path, a command) would silently take
/// the wrong one. They are refused; double quotes around the whole value say that every character of it is meant.
/// </summary>
internal static class ValueSyntax
{
    private const string SingleQuotes = "'`´“”„‘’‚«»";

    private static readonly string[] OtherSigns = [";", "//", "--", "/*"];

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

        if (CommentSign(text, row.IsSecret) is var (at, sign))
        {
            return new ValueProblem(
                $"has a {sign} that begins no comment: behind a value only a ; after a space does{Quoted(row, text, context, sign)}",
                ValueAdvice.Accepted(row, text[..at].TrimEnd(), context), ShowAllowed: false);
        }

        bool isWrapped = text.Length > 1 && SingleQuotes.Contains(text[0]) && SingleQuotes.Contains(text[^1]) && !text[1..^1].Any(SingleQuotes.Contains);
        if (!isWrapped)
            return null;
        return new ValueProblem(
            $"is in quotes that are not taken off: only double quotes (\") are{Quoted(row, text, context, "quotes")}",
            ValueAdvice.Accepted(row, text[1..^1], context), ShowAllowed: false);
    }

    /// <summary>Where a # stands that other programs take for the beginning of a comment: first, or behind white space; null: nowhere.</summary>
    /// <param name="isSecret">A password holds no options and no paths: there, other signs behind white space are meant as a comment, too.</param>
    public static (int At, string Sign)? CommentSign(string text, bool isSecret)
    {
        for (int i = 0; i < text.Length; i++)
        {
            bool isBehindSpace = i > 0 && char.IsWhiteSpace(text[i - 1]);
            if (text[i] == '#' && (i == 0 || isBehindSpace))
                return (i, "#");
            if (isSecret && isBehindSpace && Array.Find(OtherSigns, sign => text.AsSpan(i).StartsWith(sign, StringComparison.Ordinal)) is { } other)
                return (i, other);
        }

        return null;
    }

    /// <summary>True for text between quotes of whatever kind.</summary>
    public static bool IsInQuotes(string text) => text.Length > 1 && IsQuote(text[0]) && IsQuote(text[^1]);

    private static bool IsQuote(char c) => c == '"' || SingleQuotes.Contains(c);

    /// <summary>Says how the value is kept as it is, where the key would take it.</summary>
    private static string Quoted(SchemaKey row, string text, ValueContext context, string what) =>
        row.Check(text, context) is null ? $"; if the {what} belong{(what == "quotes" ? "" : "s")} to the value, put double quotes around the whole of it" : "";
}
