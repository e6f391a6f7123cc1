namespace TorBalancer.Configuration.Syntax;

/// <summary>Quotes and comment signs of other programs: characters like any other here, and perhaps meant otherwise.</summary>
internal static class ForeignMarks
{
    private const string SingleQuotes = "'`´“”„‘’‚«»";

    private static readonly string[] OtherSigns = [";", "//", "--", "/*"];

    /// <summary>
    /// Where a # stands that other programs take for the beginning of a comment: first, or behind white space; null: nowhere.
    /// </summary>
    /// <param name="isSecret">A password holds no options and no paths: there, other signs behind white space are meant as a
    /// comment, too.</param>
    public static (int At, string Sign)? CommentSign(string text, bool isSecret)
    {
        for (int i = 0; i < text.Length; i++)
        {
            bool isBehindSpace = i > 0 && char.IsWhiteSpace(text[i - 1]);
            if (text[i] == '#' && (i == 0 || isBehindSpace))
                return (i, "#");
            if (isSecret && isBehindSpace
                && Array.Find(OtherSigns, sign => text.AsSpan(i).StartsWith(sign, StringComparison.Ordinal)) is { } other)
                return (i, other);
        }

        return null;
    }

    /// <summary>True for text between quotes of whatever kind.</summary>
    public static bool IsInQuotes(string text) => text.Length > 1 && IsQuote(text[0]) && IsQuote(text[^1]);

    /// <summary>True for text between two quotes that are not double ones, with none of them in it.</summary>
    public static bool IsInOtherQuotes(string text) =>
        text.Length > 1 && SingleQuotes.Contains(text[0]) && SingleQuotes.Contains(text[^1]) && !text[1..^1].Any(SingleQuotes.Contains);

    private static bool IsQuote(char c) => c == '"' || SingleQuotes.Contains(c);
}
