using System.Globalization;

namespace TorBalancer.Configuration;

/// <summary>Durations: a whole number with ms, s, m or h.</summary>
internal static partial class Values
{
    /// <param name="min">Shortest that is allowed.</param>
    /// <param name="max">Longest that is allowed.</param>
    /// <param name="offIsZero">Also take "off" and a bare 0, which stand for zero.</param>
    public static ValueParser<TimeSpan> Duration(TimeSpan min, TimeSpan max, bool offIsZero = false)
    {
        string allowed = $"{(offIsZero ? "off, or " : "")}a duration from {Show(min)} to {Show(max)}, such as {Show(Example(min, max))}";
        return new ValueParser<TimeSpan>(allowed, (string text, ValueContext _, out TimeSpan value) =>
        {
            value = TimeSpan.Zero;
            if (offIsZero && (text.Equals("off", StringComparison.OrdinalIgnoreCase) || text == "0"))
                return null;
            if (text == "0" && min == TimeSpan.Zero)
                return null;
            if (TryDuration(text, out value))
                return value < min || value > max ? new ValueProblem("is out of range") : null;
            bool bare = text.Length is > 0 and < 10 && text.All(char.IsAsciiDigit);
            return new ValueProblem(bare ? "has no unit" : "is not a duration", bare ? WithUnit(text, min, max) : LooseDuration.Rewrite(text, min, max));
        });
    }

    /// <summary>Seconds, or the milliseconds of those who count in them, where these alone are in range.</summary>
    private static string? WithUnit(string number, TimeSpan min, TimeSpan max)
    {
        foreach (string unit in (ReadOnlySpan<string>)["s", "ms"])
        {
            if (TryDuration(number + unit, out var value) && value >= min && value <= max)
                return number + unit;
        }

        return null;
    }

    /// <summary>The shortest text that parses to <paramref name="value"/>.</summary>
    public static string Show(TimeSpan value)
    {
        long milliseconds = (long)value.TotalMilliseconds;
        (long number, string unit) = milliseconds switch
        {
            0 => (0, "s"),
            _ when milliseconds % 3_600_000 == 0 => (milliseconds / 3_600_000, "h"),
            _ when milliseconds % 60_000 == 0 => (milliseconds / 60_000, "m"),
            _ when milliseconds % 1000 == 0 => (milliseconds / 1000, "s"),
            _ => (milliseconds, "ms"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{number}{unit}");
    }

    private static TimeSpan Example(TimeSpan min, TimeSpan max)
    {
        var thirty = TimeSpan.FromSeconds(30);
        return thirty >= min && thirty <= max ? thirty : max;
    }

    private static bool TryDuration(string text, out TimeSpan value)
    {
        value = TimeSpan.Zero;
        int digits = 0;
        while (digits < text.Length && char.IsAsciiDigit(text[digits]))
            digits++;

        // Ten digits of hours are a million years, which TimeSpan holds no more; nine are enough for anyone.
        if (digits is 0 or > 9)
            return false;
        long number = long.Parse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture);
        long factor = text.AsSpan(digits).TrimStart().ToString().ToLowerInvariant() switch
        {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => 0,
        };
        if (factor == 0)
            return false;

        // 999999999 h are 3.6e15 ms; TimeSpan holds 9.2e14.
        if (number > (long)TimeSpan.MaxValue.TotalMilliseconds / factor)
            value = TimeSpan.MaxValue;
        else
            value = TimeSpan.FromMilliseconds(number * factor);
        return true;
    }
}
