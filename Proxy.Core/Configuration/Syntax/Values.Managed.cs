using System.Globalization;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Configuration.Syntax;

/// <summary>What [ManagedWorkers] says of the tors that are started: countries, bridges, transports.</summary>
internal static partial class Values
{
    /// <summary>[ManagedWorkers] Countries.</summary>
    public static ValueParser<List<CountryShare>> Countries { get; } = ListOf(
        "countries' two letters or any, each perhaps with a number from 1 to 32 behind it, separated by commas: de, us:2, any",
        new ValueParser<CountryShare>("a country's two letters or any, such as de or us:2", ParseShare));

    /// <summary>[ManagedWorkers] Bridges: a path, or lines. An address or a space makes a line of it.</summary>
    public static ValueParser<(string File, IReadOnlyList<BridgeLine> Lines)> Bridges { get; } = new(
        "a file, or bridge lines, separated by |", ParseBridges, IsFree: true);

    /// <summary>[ManagedWorkers] Transports.</summary>
    public static ValueParser<List<TransportProgram>> Transports { get; } = new(
        "auto, or transport=/path/to/program, perhaps with arguments, separated by commas", ParseTransports, IsFree: true);

    /// <summary>What would end a line of torrc early, or join the next one to it.</summary>
    private static bool HasTorrcSyntax(string command) =>
        command.EndsWith('\\') || command.Any(static c => char.IsControl(c) || c == '#');

    private static ValueProblem? ParseShare(string text, ValueContext context, out CountryShare value)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string country = (colon < 0 ? text : text[..colon]).Trim().ToLowerInvariant();
        int count = 1;
        value = new CountryShare(country == "any" ? "" : country, count);
        if (country != "any" && ParseCountry(country, context, out _) is { } problem)
            return problem;
        if (colon >= 0 && !int.TryParse(text.AsSpan(colon + 1).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out count))
            return new ValueProblem("has no number behind its colon");
        if (count is < 1 or > ManagedWorkersOptions.MostWorkers)
            return new ValueProblem("asks for a number of workers that is out of range");
        value = value with { Count = count };
        return null;
    }

    private static ValueProblem? ParseBridges(string text, ValueContext context, out (string File, IReadOnlyList<BridgeLine> Lines) value)
    {
        value = ("", []);
        if (IsPath(text))
        {
            var problem = ParsePath(text, context, out string file);
            value = (file, []);
            return problem;
        }

        var lines = new List<BridgeLine>();
        foreach (string part in text.Split('|', '\n'))
        {
            if (BridgeText.TryParse(part.Trim(), out var bridge) is { } wrong)
            {
                string which = lines.Count == 0 && !text.Contains('|') ? "is a bridge line that"
                    : string.Create(CultureInfo.InvariantCulture, $"has a bridge line, number {lines.Count + 1}, that");
                return new ValueProblem($"{which} {wrong}", ShowAllowed: false);
            }

            lines.Add(bridge with { Number = lines.Count + 1 });
        }

        value = ("", lines);
        return null;
    }

    /// <summary>A name with neither space nor colon is a file's; so is everything that begins as a path does.</summary>
    private static bool IsPath(string text) =>
        text.StartsWith('/') || text.StartsWith("~/", StringComparison.Ordinal) || text.StartsWith("./", StringComparison.Ordinal)
            || text.StartsWith("../", StringComparison.Ordinal)
            || (!text.AsSpan().ContainsAny(' ', ':', '|') && BridgeText.TryParse(text, out _) is not null);

    private static ValueProblem? ParseTransports(string text, ValueContext context, out List<TransportProgram> value)
    {
        value = [];
        if (text.Equals("auto", StringComparison.OrdinalIgnoreCase))
            return null;
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string transport = equals < 0 ? part : part[..equals].Trim(), command = equals < 0 ? "" : part[(equals + 1)..].Trim();
            if (!BridgeText.IsTransport(transport) || !command.StartsWith('/') || HasTorrcSyntax(command))
                return new ValueProblem("is not auto or a list of transports with their programs", Item: part == text ? null : part);
            value.Add(new TransportProgram(transport, command));
        }

        return null;
    }
}
