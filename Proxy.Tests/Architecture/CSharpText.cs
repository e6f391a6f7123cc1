using System.Text;

namespace TorBalancer.Tests.Architecture;

/// <summary>
/// Enough of C#'s lexical grammar to tell code from what stands in comments and strings. What an interpolated string
/// computes is blanked with it: no rule here is about the inside of a string.
/// </summary>
internal static class CSharpText
{
    public static string WithoutCommentsAndStrings(string text)
    {
        var code = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int length = SkippedAt(text, at);
            if (length == 0)
            {
                code.Append(text[at++]);
                continue;
            }

            // Lines keep their numbers.
            for (int i = 0; i < length; i++)
                code.Append(text[at + i] == '\n' ? '\n' : ' ');
            at += length;
        }

        return code.ToString();
    }

    /// <summary>The length of the comment, string or character literal that starts here; 0 for code.</summary>
    private static int SkippedAt(string text, int at)
    {
        var rest = text.AsSpan(at);
        if (rest.StartsWith("//"))
            return rest.IndexOf('\n') is var end and >= 0 ? end : rest.Length;
        if (rest.StartsWith("/*"))
            return LengthThrough(rest, "*/", 2);
        if (rest[0] == '\'')
            return rest.Length > 2 && rest[1] != '\\' ? (rest[2] == '\'' ? 3 : 0) : LengthThrough(rest, "'", 3);
        if (rest[0] != '"')
            return 0;

        int quotes = rest.IndexOfAnyExcept('"');
        if (quotes >= 3)
            return LengthThrough(rest, new string('"', quotes), quotes);
        bool verbatim = at > 0 && (text[at - 1] == '@' || (at > 1 && text[at - 1] == '$' && text[at - 2] == '@'));
        return verbatim ? VerbatimLength(rest) : PlainLength(rest);
    }

    private static int LengthThrough(ReadOnlySpan<char> text, string end, int from)
    {
        int found = text[from..].IndexOf(end);
        return found < 0 ? text.Length : from + found + end.Length;
    }

    private static int PlainLength(ReadOnlySpan<char> text)
    {
        int at = 1;
        while (text[at] != '"')
            at += text[at] == '\\' ? 2 : 1;
        return at + 1;
    }

    private static int VerbatimLength(ReadOnlySpan<char> text)
    {
        int at = 1;
        while (text[at] != '"' || (at + 1 < text.Length && text[at + 1] == '"'))
            at += text[at] == '"' ? 2 : 1;
        return at + 1;
    }
}
