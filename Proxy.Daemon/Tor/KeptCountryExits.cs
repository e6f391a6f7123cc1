using System.Buffers.Binary;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Primitives;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Daemon.Tor;

/// <summary>
/// How many exits the countries of managed workers have, by the list of relays that one of them has kept from its latest run: what can be
/// said of it while no tor runs that could be asked.
/// </summary>
internal static class KeptCountryExits
{
    /// <summary>tor's own name for it (tor(1), FILES).</summary>
    private const string ListOfRelays = "cached-microdesc-consensus";

    /// <summary>
    /// The countries that have fewer than <see cref="CountryExits.Few"/>, with their number. None where nothing was kept, it may not be
    /// read, or the GeoIP file is missing or does not know the country.
    /// </summary>
    /// <param name="environment">Gives an environment variable or null.</param>
    public static IReadOnlyList<CountryShare> Few(
        ManagedWorkersOptions options, IConfigurationFiles files, Func<string, string?> environment)
    {
        string[] countries = [.. options.Countries.Select(static share => share.Country).Where(static one => one.Length > 0).Distinct()];
        if (countries.Length == 0 || RelaysOf(options, files, environment) is not { } relays)
            return [];
        IReadOnlyList<string> extra = options.ExtraTorrc.Length > 0 && files.TryRead(options.ExtraTorrc, out string text, out _)
            ? TorrcText.Parse(text).Lines
            : [];
        if (GeoIPFile.Find(extra, options.TorPath, files.Exists).Path is not { } path)
            return [];
        using var file = files.Open(path);
        if (file is null)
            return [];
        try
        {
            var counts = GeoIPFile.Count(file, ExitConsensus.AddressesOf(relays).Select(Number).OfType<uint>());
            return
            [
                .. countries.Where(country => counts.TryGetValue(country, out int count) && count < CountryExits.Few)
                    .Select(country => new CountryShare(country, counts[country])),
            ];
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string? RelaysOf(ManagedWorkersOptions options, IConfigurationFiles files, Func<string, string?> environment)
    {
        string root = ManagedWorkerPaths.RootOf(options.DataDirectory, environment);
        for (int number = 1; number <= options.Count; number++)
        {
            if (files.TryRead(Path.Combine(root, ManagedTorWorkers.IdOf(number), ListOfRelays), out string relays, out _))
                return relays;
        }

        return null;
    }

    private static uint? Number(string text) =>
        AddressLiteral.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork
            ? BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes())
            : null;
}
