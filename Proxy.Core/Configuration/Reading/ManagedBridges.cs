using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>The bridges of [ManagedWorkers], wherever they stand.</summary>
internal static class ManagedBridges
{
    /// <summary>Those of the options, or of the file that they name; or what is wrong with the file, as a predicate.</summary>
    public static (IReadOnlyList<BridgeLine> Lines, string? Problem) Of(ManagedWorkersOptions options, IConfigurationFiles files) =>
        options.BridgesFile.Length == 0 ? (options.Bridges, null)
        : files.TryRead(options.BridgesFile, out string text, out string problem) ? BridgeText.ParseFile(text)
        : ([], problem);

    /// <summary>Where one of them stands, as the subject of a sentence about it.</summary>
    public static string PlaceOf(BridgeLine bridge, ManagedWorkersOptions options) =>
        options.BridgesFile.Length > 0
            ? string.Create(CultureInfo.InvariantCulture, $"Bridges = \"{ConfText.Printable(options.BridgesFile)}\" line {bridge.Number}")
        : options.Bridges.Count > 1 ? string.Create(CultureInfo.InvariantCulture, $"Bridges: bridge line {bridge.Number} of it")
        : "Bridges: its bridge line";
}
