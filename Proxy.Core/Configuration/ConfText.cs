using System.Text;

namespace TorBalancer.Configuration;

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

    /// <summary>Text for a terminal: control characters replaced, cut at a readable length, credentials of a URL hidden.</summary>
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

            shown.Append(char.IsControl(c) || char.IsSurrogate(c) ? '?' : c);
        }

        return shown.ToString();
    }
}
