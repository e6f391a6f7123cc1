using System.Globalization;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Configuration.Syntax;

/// <summary>What limits are written in.</summary>
internal static partial class Values
{
    private const int MostInARate = 1_000_000;

    private static readonly (string Unit, TimeSpan Per)[] RateUnits =
        [("s", TimeSpan.FromSeconds(1)), ("m", TimeSpan.FromMinutes(1)), ("h", TimeSpan.FromHours(1))];

    /// <summary>New connections in a time: off, 20/s, 600/m burst 50.</summary>
    public static ValueParser<ConnectionRate> ConnectionRate { get; } = new(
        "off, or connections a second, minute or hour, such as 20/s, 600/m or 20/s burst 60", ParseConnectionRate);

    /// <summary>Bytes a second: off, 512KiB/s, 10MiB/s.</summary>
    public static ValueParser<long> Bandwidth { get; } = new(
        "off, or bytes a second from 1KiB/s to 64GiB/s, such as 1MiB/s", ParseBandwidth);

    /// <summary>[User:…] Workers.</summary>
    public static ValueParser<List<string>> WorkerNames { get; } = ListOf("names of workers, separated by commas",
        new ValueParser<string>("", static (string text, ValueContext _, out string value) =>
        {
            value = text;
            return ConfText.IsName(text) ? null : new ValueProblem("is no name of a worker");
        }, IsFree: true));

    /// <summary>[User:…] Countries.</summary>
    public static ValueParser<List<string>> CountryList { get; } = ListOf(
        "countries' two letters, such as de, fr", new ValueParser<string>("", ParseCountry));

    private static ValueProblem? ParseBandwidth(string text, ValueContext context, out long value)
    {
        value = 0;
        if (text.Equals("off", StringComparison.OrdinalIgnoreCase))
            return null;
        var size = Size(1L << 10, 64L << 30);
        int slash = text.LastIndexOf('/');
        if (slash < 0 || !text[(slash + 1)..].Trim().Equals("s", StringComparison.OrdinalIgnoreCase))
        {
            return new ValueProblem(
                "has no time: bytes a second end in /s", slash < 0 && size.Parse(text, context, out _) is null ? text + "/s" : null);
        }

        var problem = size.Parse(text[..slash].TrimEnd(), context, out value);
        return problem is { Suggestion: { } meant } ? problem with { Suggestion = meant + "/s" } : problem;
    }

    private static ValueProblem? ParseConnectionRate(string text, ValueContext context, out ConnectionRate value)
    {
        value = default;
        if (text.Equals("off", StringComparison.OrdinalIgnoreCase))
            return null;
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        bool hasBurst = words.Length == 3 && words[1].Equals("burst", StringComparison.OrdinalIgnoreCase);
        string[] rate = words.Length == 0 ? [] : words[0].Split('/');
        if ((words.Length != 1 && !hasBurst) || rate.Length != 2)
            return new ValueProblem("is not a rate", IsCount(text) ? text + "/s" : null);
        var per = Array.Find(RateUnits, known => known.Unit.Equals(rate[1], StringComparison.OrdinalIgnoreCase)).Per;
        if (per == default || !IsCount(rate[0]))
            return new ValueProblem("is not a rate", IsCount(rate[0]) && MeantUnit(rate[1]) is { } unit ? $"{rate[0]}/{unit}" : null);
        if (!TryCount(rate[0], out int count))
            return new ValueProblem($"is out of range: 1 to {MostInARate} connections");
        value = Options.ConnectionRate.Of(count, per);
        if (!hasBurst)
            return null;
        if (!TryCount(words[2], out int burst))
            return new ValueProblem($"has a burst that is no number from 1 to {MostInARate}");
        value = value with { Burst = burst };
        return null;
    }

    private static bool IsCount(string text) => text.Length > 0 && text.All(char.IsAsciiDigit);

    private static bool TryCount(string text, out int count) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 1 and <= MostInARate;

    /// <summary>The letter of sec, min, hour and the like; null: no idea.</summary>
    private static string? MeantUnit(string unit) =>
        Array.Find(RateUnits, known => unit.StartsWith(known.Unit, StringComparison.OrdinalIgnoreCase)).Unit;
}
