using System.Globalization;
using System.Text;

namespace TorBalancer.Daemon.Terminal;

/// <summary>Text from elsewhere, for a terminal: a control character in it could move the cursor or lie about what stands there.</summary>
internal static class Printable
{
    public static string Of(string text)
    {
        if (!text.Any(IsControl))
            return text;
        var safe = new StringBuilder(text.Length + 8);
        foreach (char c in text)
            _ = IsControl(c) ? safe.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}") : safe.Append(c);
        return safe.ToString();
    }

    // Format characters are those that turn the direction of writing, and those without a width.
    private static bool IsControl(char c) =>
        char.IsControl(c) || char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator;
}
