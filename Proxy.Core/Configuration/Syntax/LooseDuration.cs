using System.Buffers;
using System.Globalization;

namespace TorBalancer.Configuration.Syntax;

/// <summary>
/// Durations as other programs and people write them: 2min, 1.5s, 1h30m, 00:01:30, 1d. Only suggestions are made from them.
/// </summary>
internal static class LooseDuration
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.,");

    /// <summary>
    /// What <paramref name="text"/> would be here; null when nobody would read it as a duration, or when it is out of range.
    /// </summary>
    public static string? Rewrite(string text, TimeSpan min, TimeSpan max)
    {
        double? milliseconds = text.Contains(':') ? Clock(text) : Units(text);
        if (milliseconds is not { } found || found > TimeSpan.MaxValue.TotalMilliseconds / 2 || found != Math.Floor(found))
            return null;
        var value = TimeSpan.FromMilliseconds(found);
        return value >= min && value <= max ? DurationText.Show(value) : null;
    }

    /// <summary>hh:mm:ss or mm:ss.</summary>
    private static double? Clock(string text)
    {
        string[] parts = text.Split(':');
        if (parts.Length is < 2 or > 3)
            return null;
        double seconds = 0;
        foreach (string part in parts)
        {
            if (part.Length is 0 or > 4 || !int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
                return null;
            seconds = (seconds * 60) + number;
        }

        return seconds * 1000;
    }

    /// <summary>One or several numbers, each with its unit; decimals with a point or a comma; the P and T of ISO 8601 in front.</summary>
    private static double? Units(string text)
    {
        var rest = text.AsSpan().Trim();
        if (rest.StartsWith("PT", StringComparison.OrdinalIgnoreCase))
            rest = rest[2..];
        double total = 0, last = double.MaxValue;
        if (rest.IsEmpty)
            return null;
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExcept(Digits);
            if (digits is <= 0 or > 12
                || !double.TryParse(rest[..digits].ToString().Replace(',', '.'), NumberStyles.AllowDecimalPoint,
                    CultureInfo.InvariantCulture, out double number))
                return null;
            rest = rest[digits..].TrimStart();
            int letters = 0;
            while (letters < rest.Length && char.IsAsciiLetter(rest[letters]))
                letters++;

            // 1h 30m is one duration; 1s 2s 4s are several.
            if (Milliseconds(rest[..letters].ToString()) is not { } unit || unit >= last)
                return null;
            last = unit;
            total += Math.Round(number * unit, 6);
            rest = rest[letters..].TrimStart();
        }

        return total;
    }

    private static double? Milliseconds(string unit) => unit.ToLowerInvariant() switch
    {
        "ms" or "msec" or "msecs" or "millis" or "millisecond" or "milliseconds" => 1,
        "s" or "sec" or "secs" or "second" or "seconds" => 1000,
        "m" or "min" or "mins" or "minute" or "minutes" => 60_000,
        "h" or "hr" or "hrs" or "hour" or "hours" => 3_600_000,
        "d" or "day" or "days" => 86_400_000,
        "w" or "week" or "weeks" => 604_800_000,
        _ => null,
    };
}
