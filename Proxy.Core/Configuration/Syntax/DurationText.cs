using System.Globalization;

namespace TorBalancer.Configuration.Syntax;

/// <summary>Durations as they are written: a whole number with ms, s, m or h.</summary>
internal static class DurationText
{
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

    /// <summary>False for what is no duration; one that is longer than a <see cref="TimeSpan"/> is the longest.</summary>
    public static bool TryParse(string text, out TimeSpan value)
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
