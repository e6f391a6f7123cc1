using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// How many exits the country has that one worker's exits are to be in: counted by its own tor, from its list of relays and its GeoIP
/// file. Few exits are soon blocked by sites, and whoever uses them is one of few.
/// </summary>
/// <param name="country">Two letters in lower case; empty: there is nothing to count.</param>
internal sealed partial class CountryExits(string workerId, string country, ILogger logger)
{
    /// <summary>Fewer are worth a warning.</summary>
    internal const int Few = 10;

    /// <summary>Addresses in one question to tor.</summary>
    private const int AtOnce = 64;

    private volatile bool _isStale = country.Length > 0;
    private volatile object? _count;
    private int? _told;

    /// <summary>Null until they were counted, and without a country.</summary>
    public int? Count => (int?)_count;

    /// <summary>On a new connection, which may be to another tor.</summary>
    public void Connected() => _isStale = country.Length > 0;

    /// <summary>True when they are to be counted anew.</summary>
    public bool Observe(ControlEvent message)
    {
        if (country.Length == 0 || message is not StatusEvent { Action: "CONSENSUS_ARRIVED" or "CIRCUIT_ESTABLISHED" })
            return false;
        _isStale = true;
        return true;
    }

    /// <summary>Counts them, if that is due. Of the maintenance loop.</summary>
    public async Task UpdateAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        if (!_isStale)
            return;
        _isStale = false;
        try
        {
            if (await control.GetInfoAsync("ip-to-country/ipv4-available", cancellationToken) != "1")
            {
                Tell(-1, static (logger, worker, country, _) => Log.NoGeoIP(logger, worker, country));
                return;
            }

            // Before there is a list of relays, tor has none at all.
            string relays = await control.GetInfoAsync("ns/all", cancellationToken);
            string[] addresses = [.. ExitConsensus.AddressesOf(relays)];
            if (addresses.Length == 0)
                return;
            int count = 0;
            foreach (string[] some in addresses.Chunk(AtOnce))
            {
                string[] keys = [.. some.Distinct().Select(static address => "ip-to-country/" + address)];
                var countries = await control.GetInfoAsync(keys, cancellationToken);
                var inCountry = keys.Zip(countries).Where(one => one.Second.Equals(country, StringComparison.OrdinalIgnoreCase))
                    .Select(static one => one.First).ToHashSet(StringComparer.Ordinal);
                count += some.Count(address => inCountry.Contains("ip-to-country/" + address));
            }

            _count = count;
            if (count < Few)
                Tell(count, Log.FewExits);
            else
                _told = null;
        }
        catch (Exception failure) when (ControlFailures.IsOfCommand(failure))
        {
            // They are counted with the next list of relays.
            Log.NotCounted(logger, workerId, country, failure.Message);
        }
    }

    private void Tell(int count, Action<ILogger, string, string, int> how)
    {
        if (_told == count)
            return;
        _told = count;
        how(logger, workerId, country, count);
    }

    private static partial class Log
    {
        [LoggerMessage(
            RelayEventIds.FewExits, LogLevel.Warning,
            "Worker {Worker}: exits that the Tor network has in its country {Country}: {Count}; so few are easily blocked, and their users "
                + "easily told apart")]
        public static partial void FewExits(ILogger logger, string worker, string country, int count);

        [LoggerMessage(
            RelayEventIds.NoGeoIP, LogLevel.Warning,
            "Worker {Worker}: its tor has no GeoIP file, so nobody knows whether its exits are in {Country} "
                + "(Debian's package tor-geoipdb has one)")]
        public static partial void NoGeoIP(ILogger logger, string worker, string country);

        [LoggerMessage(
            RelayEventIds.ExitsNotCounted, LogLevel.Debug, "Worker {Worker}: the exits in {Country} were not counted: {Problem}")]
        public static partial void NotCounted(ILogger logger, string worker, string country, string problem);
    }
}
