using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace TorBalancer.TorControl.Syntax;

/// <summary>Quoted strings of the control protocol (control-spec, "Notes on an escaping bug"), which are C strings in practice.</summary>
internal static class ControlString
{
    /// <summary>
    /// Quotes a value for a command. The text is sent as UTF-8; what is not printable ASCII goes as an octal escape,
    /// so that the command stays one line of ASCII whatever the value holds.
    /// </summary>
    public static string Quote(string value)
    {
        var text = new StringBuilder(value.Length + 2).Append('"');
        foreach (byte b in Encoding.UTF8.GetBytes(value))
        {
            if (b is (byte)'"' or (byte)'\\')
                text.Append('\\').Append((char)b);
            else if (b is >= 0x20 and < 0x7f)
                text.Append((char)b);
            else
                text.Append('\\').Append((char)('0' + (b >> 6))).Append((char)('0' + ((b >> 3) & 7))).Append((char)('0' + (b & 7)));
        }

        return text.Append('"').ToString();
    }

    /// <summary>
    /// Reads the quoted string at the start of <paramref name="text"/>. Escapes: \n \r \t, one to three octal digits up to
    /// \377, and a backslash before anything else stands for that character. False when it is not closed.
    /// </summary>
    /// <param name="text">Begins with the opening quote.</param>
    /// <param name="value">The bytes of the value, mapped to Latin-1.</param>
    /// <param name="consumed">Characters read, both quotes included.</param>
    public static bool TryUnquote(ReadOnlySpan<char> text, [NotNullWhen(true)] out string? value, out int consumed)
    {
        value = null;
        consumed = 0;
        if (text.Length < 2 || text[0] != '"')
            return false;

        // Nearly all values hold no escape at all.
        int stop = text[1..].IndexOfAny('"', '\\') + 1;
        if (stop > 0 && text[stop] == '"')
        {
            value = text[1..stop].ToString();
            consumed = stop + 1;
            return true;
        }

        var result = new StringBuilder();
        for (int at = 1; at < text.Length; at++)
        {
            char c = text[at];
            if (c == '"')
            {
                value = result.ToString();
                consumed = at + 1;
                return true;
            }

            if (c != '\\')
                result.Append(c);
            else if (++at < text.Length)
                result.Append(ReadEscape(text, ref at));
        }

        return false;
    }

    /// <summary>What stands in quotes unquoted, anything else as it is.</summary>
    public static string Unquote(string text) => text.StartsWith('"') && TryUnquote(text, out string? value, out _) ? value : text;

    /// <summary>The bytes of a Latin-1 mapped text read as UTF-8: what a path is.</summary>
    public static string ToUtf8(string latin1) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(latin1));

    private static char ReadEscape(ReadOnlySpan<char> text, ref int at)
    {
        switch (text[at])
        {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case >= '0' and <= '7':
                int value = text[at] - '0';
                for (int digits = 1; digits < 3 && at + 1 < text.Length && text[at + 1] is >= '0' and <= '7'; digits++)
                {
                    int next = (value * 8) + (text[at + 1] - '0');
                    if (next > 255)
                        break;
                    value = next;
                    at++;
                }

                return (char)value;
            default:
                return text[at];
        }
    }
}
