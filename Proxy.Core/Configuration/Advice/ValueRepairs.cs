using System.Globalization;
using System.Text;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Advice;

/// <summary>A guess at what went wrong with a value that was refused.</summary>
/// <param name="Cause">A clause that names it; empty where the suggestion says enough.</param>
/// <param name="Try">What the value would be without the mistake; null or the same text: not this one.</param>
internal sealed record ValueRepair(string Cause, Func<string, IEnumerable<string>> Try);

/// <summary>
/// Mistakes that have nothing to do with the key: comments, quotes, typography, brackets, separators, other programs' words.
/// A repair is a guess and no more. <see cref="ValueAdvice"/> suggests what comes out only when the key accepts it.
/// </summary>
internal static class ValueRepairs
{
    private const string Quotes = "\"'`´“”„‟‘’‚‛«»‹›";
    private const string Comment = "behind a value a comment begins with a ; after a space, and with nothing else";

    public static IReadOnlyList<ValueRepair> All { get; } =
    [
        new("it holds an invisible character", static text => One(Without(text, ConfText.IsInvisible))),
        new(Comment, static text => One(Before(text, " #", "\t#", " //", "\t//", " --"))),
        new("quotes are double and stand around the whole value in the file; in a variable or an argument there are none",
            static text => One(Without(text, static c => Quotes.Contains(c)))),
        new("", static text => One(Ascii(text))),
        new("it has a second sign between key and value", static text => One(text.TrimStart('=', ':', ' ', '>'))),
        new("it ends in what does not belong to it", static text => One(text.TrimEnd(',', ';', '.', '\\', ' '))),
        new("it is in brackets", static text => One(Without(text, static c => "[](){}<>".Contains(c) || Quotes.Contains(c)))),
        new("the items of a list are separated by commas",
            static text => Lists(text)),
        new(Comment, static text => One(Before(text, ";", "#"))),
        new("", static text => ForeignWords.Values(text)),
        new("numbers are written with digits only", static text => One(Number(text))),
    ];

    private static IEnumerable<string> One(string? text) => text is null ? [] : [text.Trim()];

    private static string Without(string text, Func<char, bool> drop) => string.Concat(text.Where(c => !drop(c)));

    private static string? Before(string text, params ReadOnlySpan<string> marks)
    {
        foreach (string mark in marks)
        {
            int at = text.IndexOf(mark, StringComparison.Ordinal);
            if (at > 0)
                return text[..at];
        }

        return null;
    }

    /// <summary>Dashes of a typesetter and full-width forms of East Asian keyboards, as the keyboard's own.</summary>
    private static string Ascii(string text)
    {
        var ascii = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            ascii.Append(c switch
            {
                >= '\u2010' and <= '\u2015' or '\u2212' => '-',
                >= '\uFF01' and <= '\uFF5E' => (char)(c - 0xFEE0),
                _ => c,
            });
        }

        return ascii.ToString();
    }

    /// <summary>A slash is a part of an address or a network; elsewhere it may separate, too.</summary>
    private static IEnumerable<string> Lists(string text)
    {
        yield return Commas(text, [',', ';', ' ', '\t', '|', '+', '&']);
        if (!text.AsSpan().ContainsAny(".:"))
            yield return Commas(text, ['/']).Trim();
    }

    private static string Commas(string text, char[] separators) =>
        string.Join(", ", text.Split(separators, StringSplitOptions.RemoveEmptyEntries));

    /// <summary>1,000 and 1_000 and 1k and 0x10 and 20%; anything else is no number to anybody.</summary>
    private static string? Number(string text)
    {
        string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 2 && words[0].All(char.IsAsciiDigit) && words[1].All(char.IsAsciiLetter))
            return words[0];
        string digits = Without(text, static c => c is ',' or '_' or '\'' or ' ');
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return int.TryParse(digits.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int hex) ? Text(hex) : null;
        string zeros = digits.Length > 1 && digits[^1] is 'k' or 'K' ? "000" : "";
        digits = digits.TrimEnd('k', 'K', '%', 'x');
        if (digits.EndsWith(".0", StringComparison.Ordinal))
            digits = digits[..^2];
        return int.TryParse(digits + zeros, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? Text(number)
            : null;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
