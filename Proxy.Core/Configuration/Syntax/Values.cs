using System.Globalization;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>The kinds of value that have nothing to do with time, paths or the network.</summary>
internal static partial class Values
{
    private static readonly string[] YesNoWords = ["yes", "no", "true", "false", "on", "off"];

    private const int MinToken = 16, MaxToken = 256;

    private static readonly System.Buffers.SearchValues<char> TokenSigns =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");

    public static ValueParser<bool> YesNo { get; } = new("yes or no", ParseYesNo);

    public static ValueParser<string> Country { get; } = new("a country's two letters, such as de", ParseCountry);

    public static ValueParser<UnixFileMode> FileMode { get; } = new("octal permissions, 0000 to 0777", ParseFileMode);

    public static ValueParser<string> WireGuardInterface { get; } =
        new("the name of a network interface, up to 15 letters", ParseInterface, IsFree: true);

    /// <summary>[Worker:…] ControlPassword. torrc has its hash (control-spec, section 3.5), which logs nobody in.</summary>
    public static ValueParser<string> ControlPassword { get; } = new("a password without control characters",
        static (string text, ValueContext _, out string value) =>
        {
            value = text;
            if (text.Any(char.IsControl))
                return new ValueProblem("holds a control character");
            return text.Length == 61 && text.StartsWith("16:", StringComparison.Ordinal) && text[3..].All(char.IsAsciiHexDigit)
                ? new ValueProblem("is torrc's HashedControlPassword; the password itself belongs here", ShowAllowed: false)
                : null;
        });

    /// <summary>[Admin] Token: what fits into a header (RFC 6750, section 2.1, b64token).</summary>
    public static ValueParser<string> BearerToken { get; } = new(
        "16 to 256 letters, digits and - . _ ~ + / =, for instance of openssl rand -hex 32",
        static (string text, ValueContext _, out string value) =>
        {
            value = text;
            if (text.AsSpan().ContainsAnyExcept(TokenSigns))
                return new ValueProblem("holds another sign");
            return text.Length < MinToken ? new ValueProblem("is too short")
                : text.Length > MaxToken ? new ValueProblem("is too long")
                : null;
        });

    public static ValueParser<string> Text(string allowed) => new(allowed, static (string text, ValueContext _, out string value) =>
    {
        value = text;
        return text.Any(char.IsControl) ? new ValueProblem("holds a control character") : null;
    }, IsFree: true);

    public static ValueParser<int> Number(int min, int max)
    {
        string allowed = string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}");
        return new ValueParser<int>(allowed, (string text, ValueContext _, out int value) =>
        {
            if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value))
                return new ValueProblem(text.All(char.IsAsciiDigit) ? "is out of range" : "is not a whole number");
            return value < min || value > max ? new ValueProblem("is out of range") : null;
        });
    }

    /// <summary>One of several words, letter case ignored.</summary>
    /// <param name="noun">What the words are: "a mode".</param>
    /// <param name="words">Each with what it stands for.</param>
    public static ValueParser<T> OneOf<T>(string noun, params (string Word, T Value)[] words)
    {
        // By hand: Select over pairs is compiled at the start for every T, because nothing calls it by its name before.
        string[] allowed = new string[words.Length];
        for (int i = 0; i < words.Length; i++)
            allowed[i] = words[i].Word;
        return new ValueParser<T>(string.Join(", ", allowed), (string text, ValueContext _, out T value) =>
        {
            foreach (var (word, meant) in words)
            {
                if (string.Equals(word, text, StringComparison.OrdinalIgnoreCase))
                {
                    value = meant;
                    return null;
                }
            }

            value = default!;
            return new ValueProblem($"is not {noun}", Spelling.Closest(text, allowed) ?? Spelling.SharingStem(text, allowed));
        });
    }

    /// <summary>One of several words that stand for themselves, in the spelling of <paramref name="words"/>.</summary>
    public static ValueParser<string> Word(string noun, params IEnumerable<string> words)
    {
        var pairs = new List<(string Word, string Value)>();
        foreach (string word in words)
            pairs.Add((word, word));
        return OneOf(noun, [.. pairs]);
    }

    /// <summary>A comma-separated list with at least one item.</summary>
    public static ValueParser<List<T>> ListOf<T>(string allowed, ValueParser<T> item) =>
        new(allowed, (string text, ValueContext context, out List<T> value) =>
        {
            value = [];
            foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
            {
                if (part.Length == 0)
                    return new ValueProblem("has an empty item between its commas");
                var problem = item.Parse(part, context, out var parsed);
                if (problem is not null)
                {
                    return part == text
                        ? problem
                        : problem with { What = $"has \"{ConfText.Printable(part)}\", which {problem.What}", Item = part };
                }

                value.Add(parsed);
            }

            return null;
        }, item.IsFree);

    private static ValueProblem? ParseYesNo(string text, ValueContext context, out bool value)
    {
        int index = Array.FindIndex(YesNoWords, word => string.Equals(word, text, StringComparison.OrdinalIgnoreCase));
        value = index >= 0 && index % 2 == 0;
        return index >= 0 ? null : new ValueProblem("is neither yes nor no", Spelling.Closest(text, YesNoWords));
    }

    private static ValueProblem? ParseCountry(string text, ValueContext context, out string value)
    {
        value = text.ToLowerInvariant();
        return value.Length == 2 && value.All(char.IsAsciiLetterLower) ? null : new ValueProblem("is not a country code");
    }

    private static ValueProblem? ParseFileMode(string text, ValueContext context, out UnixFileMode value)
    {
        value = UnixFileMode.None;
        if (text.Length is < 3 or > 4 || (text.Length == 4 && text[0] != '0') || text.Any(c => c is < '0' or > '7'))
            return new ValueProblem("is not a set of octal permissions", Octal(text));
        int bits = 0;
        foreach (char c in text)
            bits = (bits << 3) | (c - '0');
        value = (UnixFileMode)bits;
        return null;
    }

    /// <summary>0o660 and rw-rw---- as octal digits; null: neither.</summary>
    private static string? Octal(string text)
    {
        if (text.StartsWith("0o", StringComparison.OrdinalIgnoreCase))
            return "0" + text[2..];
        if (text.Length != 9)
            return null;
        int bits = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '-' && text[i] != "rwx"[i % 3])
                return null;
            bits = (bits << 1) | (text[i] == '-' ? 0 : 1);
        }

        return "0" + Convert.ToString(bits, 8).PadLeft(3, '0');
    }

    private static ValueProblem? ParseInterface(string text, ValueContext context, out string value)
    {
        // IFNAMSIZ is 16 with the closing zero; the kernel (dev_valid_name) refuses '/', ':' and white space.
        value = text;
        bool valid = text.Length <= 15 && text is not ("." or "..") && text.All(c => c is > ' ' and < '\x7f' and not '/' and not ':');
        return valid ? null : new ValueProblem("is not the name of a network interface");
    }
}
