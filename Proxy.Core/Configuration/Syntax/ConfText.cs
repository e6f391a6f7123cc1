using System.Globalization;
using System.Text;

namespace TorBalancer.Configuration.Syntax;

/// <summary>How names are made up, and how what a user wrote is shown back.</summary>
internal static class ConfText
{
    /// <summary>Longest name of a listener or a worker.</summary>
    public const int MaxNameLength = 64;

    private const int MaxShown = 80;

    /// <summary>Letters, digits, '-', '_' and '.', 1 to <see cref="MaxNameLength"/> of them.</summary>
    public static bool IsName(ReadOnlySpan<char> text)
    {
        if (text.Length is 0 or > MaxNameLength)
            return false;
        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))
                return false;
        }

        return true;
    }

    /// <summary>
    /// Text for a terminal: control characters replaced, invisible ones named, cut at a readable length, credentials of a URL
    /// hidden.
    /// </summary>
    public static string Printable(string text)
    {
        int at = text.LastIndexOf('@');
        if (at >= 0)
        {
            int slashes = text.IndexOf("//", StringComparison.Ordinal);
            int from = slashes >= 0 && slashes + 2 <= at ? slashes + 2 : 0;
            text = string.Concat(text.AsSpan(0, from), "***", text.AsSpan(at));
        }

        var shown = new StringBuilder();
        foreach (char c in text)
        {
            if (shown.Length >= MaxShown)
            {
                shown.Append('…');
                break;
            }

            // What cannot be seen is named: "random" with such a character is refused, and nobody would see why.
            if (IsInvisible(c))
                shown.Append(CultureInfo.InvariantCulture, $"<U+{(int)c:X4}>");
            else
                shown.Append(char.IsControl(c) || char.IsSurrogate(c) ? '?' : c);
        }

        return shown.ToString();
    }

    /// <summary>Format characters such as a zero-width space, and spaces that are not the one of the keyboard.</summary>
    public static bool IsInvisible(char c) =>
        char.GetUnicodeCategory(c) is UnicodeCategory.Format || (c > '\x7f' && char.IsWhiteSpace(c) && !char.IsControl(c));
}
