namespace TorBalancer.Configuration.Syntax;

/// <summary>Durations between two limits.</summary>
internal static partial class Values
{
    /// <param name="min">Shortest that is allowed.</param>
    /// <param name="max">Longest that is allowed.</param>
    /// <param name="offIsZero">Also take "off" and a bare 0, which stand for zero.</param>
    public static ValueParser<TimeSpan> Duration(TimeSpan min, TimeSpan max, bool offIsZero = false)
    {
        string allowed = $"{(offIsZero ? "off, or " : "")}a duration from {DurationText.Show(min)} to {DurationText.Show(max)}, "
            + $"such as {DurationText.Show(Example(min, max))}";
        return new ValueParser<TimeSpan>(allowed, (string text, ValueContext _, out TimeSpan value) =>
        {
            value = TimeSpan.Zero;
            if (offIsZero && (text.Equals("off", StringComparison.OrdinalIgnoreCase) || text == "0"))
                return null;
            if (text == "0" && min == TimeSpan.Zero)
                return null;
            if (DurationText.TryParse(text, out value))
                return value < min || value > max ? new ValueProblem("is out of range") : null;
            return text.Length is > 0 and < 10 && text.All(char.IsAsciiDigit)
                ? new ValueProblem("has no unit", WithUnit(text, min, max))
                : new ValueProblem("is not a duration", LooseDuration.Rewrite(text, min, max));
        });
    }

    /// <summary>Seconds, or the milliseconds of those who count in them, where these alone are in range.</summary>
    private static string? WithUnit(string number, TimeSpan min, TimeSpan max)
    {
        foreach (string unit in (ReadOnlySpan<string>)["s", "ms"])
        {
            if (DurationText.TryParse(number + unit, out var value) && value >= min && value <= max)
                return number + unit;
        }

        return null;
    }

    private static TimeSpan Example(TimeSpan min, TimeSpan max)
    {
        var thirty = TimeSpan.FromSeconds(30);
        return thirty >= min && thirty <= max ? thirty : max;
    }
}
