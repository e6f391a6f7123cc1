using System.Globalization;
using System.Text;

namespace TorBalancer.Configuration.Syntax;

/// <summary>
/// Reads lines that somebody else wrote for a torrc, as tor does (parse_config_line_from_str in its confline.c), so that each can be
/// written again as one line that ends where it ends: a \ at the end of a line joins the next one to it, and comments between such
/// lines are passed over.
/// </summary>
public static class TorrcText
{
    //  KEY value…  # comment          an ordinary line
    //  KEY "a \"b\""                  a quoted value, which ends on its line
    //  KEY value \⏎                   goes on in the next line
    //  # comment⏎                     passed over
    //    more

    /// <summary>The lines, one for each option; or what is wrong, with the number of the line where it is.</summary>
    public static (IReadOnlyList<string> Lines, string? Problem) Parse(string text)
    {
        var lines = new List<string>();
        string[] written = text.Split('\n');
        for (int i = 0; i < written.Length; i++)
        {
            if (Unwritable(written[i]) is { } what)
                return ([], Problem(i, $"holds {what}"));
            string line = written[i].Trim(' ', '\t', '\r');
            if (line.Length == 0 || line[0] == '#')
                continue;
            int first = i;
            var (joined, problem) = IsQuoted(line) ? (line, EndOfQuoted(line)) : Join(written, ref i);
            if (problem is not null)
                return ([], Problem(problem == Continued ? i : first, problem));

            // A \ and nothing in both lines.
            if (joined.Length > 0)
                lines.Add(joined);
        }

        return (lines, null);
    }

    private const string Continued = "ends in \\ and has no line behind it to go on in";

    private static (string Line, string? Problem) Join(string[] written, ref int i)
    {
        var joined = new StringBuilder();
        bool isContinuation = false;
        while (true)
        {
            string part = written[i];
            if (Unwritable(part) is { } what)
                return ("", $"goes on in a line that holds {what}");
            int comment = part.IndexOf('#', StringComparison.Ordinal);
            bool isCommentLine = isContinuation && part.TrimStart(' ', '\t').StartsWith('#');
            if (comment >= 0)
                part = part[..comment];

            // tor sees the \ only as the very last character; with a CR behind it, it would become the value's last one.
            bool goesOn = comment < 0 && part.TrimEnd('\r').EndsWith('\\');
            joined.Append(goesOn ? part.TrimEnd('\r')[..^1] : part);

            // A \ parts the option from its value, as white space does (parse_config_line_from_str_verbose), and is gone in one line.
            if (goesOn && !isContinuation && joined.ToString().Trim(' ', '\t').IndexOfAny([' ', '\t']) < 0)
                joined.Append(' ');
            if (!goesOn && !isCommentLine && !(isContinuation && comment >= 0))
                break;
            isContinuation = true;

            // The last piece of a text is what stands behind its last line feed: no line.
            if (i + 1 >= written.Length || (i + 2 == written.Length && written[i + 1].Length == 0))
                return ("", Continued);
            i++;
        }

        string line = joined.ToString().Trim(' ', '\t', '\r');
        if (isContinuation && IsQuoted(line))
            return ("", "goes on to a value that begins with a double quote, which in one line would be a quoted one");
        return line.EndsWith('\\') ? ("", Continued) : (line, null);
    }

    private static bool IsQuoted(string line)
    {
        int space = line.IndexOfAny([' ', '\t']);
        return space > 0 && line[space..].TrimStart(' ', '\t').StartsWith('"');
    }

    /// <summary>A quoted value ends with a quote on its own line, and but for a comment nothing is behind it.</summary>
    private static string? EndOfQuoted(string line)
    {
        int at = line.IndexOf('"', StringComparison.Ordinal) + 1;
        while (at < line.Length && line[at] != '"')
            at += line[at] == '\\' ? 2 : 1;
        if (at >= line.Length)
            return "begins a quoted value that does not end";
        string rest = line[(at + 1)..].TrimStart(' ', '\t');
        return rest.Length == 0 || rest[0] == '#' ? null : "has something behind its quoted value";
    }

    /// <summary>A NUL would end the whole file for tor; the others are no part of any option.</summary>
    private static string? Unwritable(string line)
    {
        foreach (char c in line.AsSpan().TrimEnd('\r'))
        {
            if (c != '\t' && char.IsControl(c))
                return string.Create(CultureInfo.InvariantCulture, $"the control character 0x{(int)c:x2}");
        }

        return null;
    }

    private static string Problem(int index, string what) => string.Create(CultureInfo.InvariantCulture, $"line {index + 1} {what}");
}
