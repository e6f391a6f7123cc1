using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Doctor;

/// <summary>Asks a control port for all that the checks want to know. It changes nothing there.</summary>
internal static class ControlExaminer
{
    private static readonly ControlConnectionOptions Limits = new()
    {
        ConnectTimeout = TimeSpan.FromSeconds(5),
        CommandTimeout = TimeSpan.FromSeconds(5),
    };

    private static readonly string[] Settings =
    [
        "SocksPort", "SocksPolicy", "SocksTimeout", "SafeLogging", "UseEntryGuards", "DisableNetwork", "DormantTimeoutEnabled",
        "MaxCircuitDirtiness", "ConfluxEnabled", "ORPort", "ExitNodes",
    ];

    public static async Task<ControlState> AskAsync(WorkerModel worker, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            await using var control = await ControlConnection.ConnectAsync(
                worker.ControlEndPoint!, new ControlCredentials(worker.ControlCookie, worker.ControlPassword),
                Limits with { Binding = worker.RequestTo(worker.ControlEndPoint!).Binding }, NullLogger.Instance, time, cancellationToken);
            return await ReadAsync(control, worker, time, cancellationToken);
        }
        catch (Exception failure) when (ControlFailures.IsExpected(failure))
        {
            return new ControlState { Problem = failure.Message, IsRefused = failure is ControlAuthenticationException };
        }
    }

    private static async Task<ControlState> ReadAsync(
        ControlConnection control, WorkerModel worker, TimeProvider time, CancellationToken cancellationToken)
    {
        var settings = new List<KeyValuePair<string, string?>>();
        foreach (string name in Settings)
        {
            // One that this tor does not know would fail them all.
            if (await AskAsync(() => control.GetConfAsync([name], cancellationToken)) is { } values)
                settings.AddRange(values);
        }

        string? clock = await InfoAsync(control, "current-time/utc", cancellationToken);
        var now = time.GetUtcNow();
        string? from = await InfoAsync(control, "consensus/valid-after", cancellationToken);
        string? until = await InfoAsync(control, "consensus/valid-until", cancellationToken);
        string? geoip = await InfoAsync(control, "ip-to-country/ipv4-available", cancellationToken);
        var exits = new CountryExits(worker.Id, worker.Country, NullLogger.Instance);
        await exits.UpdateAsync(control, cancellationToken);
        return new ControlState
        {
            IsOpen = control.Info.Offers("NULL"),
            Version = TorVersion.TryParse(control.Info.TorVersion),
            VersionStatus = await InfoAsync(control, "status/version/current", cancellationToken) ?? "",
            Bootstrap = await AskAsync(() => control.GetBootstrapAsync(cancellationToken)) ?? BootstrapStatus.None,
            IsNetworkLive = await InfoAsync(control, "network-liveness", cancellationToken) != "down",
            Clock = Time(clock) is { } theirs ? (theirs, now) : null,
            Consensus = Time(from) is { } begin && Time(until) is { } end ? (begin, end) : null,
            HasGeoIP = geoip is null ? null : geoip == "1",
            CountryExits = exits.Count,
            Settings = settings,
            SocksLine = LineOf(worker.SocksEndPoint, settings),
        };
    }

    /// <summary>The SocksPort line of an address; the only one there is, whatever its address: it may be translated on the way.</summary>
    internal static string? LineOf(EndPoint endPoint, IReadOnlyList<KeyValuePair<string, string?>> settings)
    {
        string[] lines =
        [
            .. settings.Where(static one => one.Key.Equals("SocksPort", StringComparison.OrdinalIgnoreCase))
                .Select(static one => one.Value ?? "9050"),
        ];
        string wanted = endPoint is UnixDomainSocketEndPoint unix ? $"unix:{unix}"
            : ((IPEndPoint)endPoint).Port.ToString(CultureInfo.InvariantCulture);
        return lines.Length == 1 ? lines[0] : Array.Find(lines, line => IsOf(line.Replace("\"", "", StringComparison.Ordinal), wanted));
    }

    private static bool IsOf(string line, string wanted)
    {
        string address = line.Split(' ')[0];
        return address == wanted
            || (!wanted.StartsWith("unix:", StringComparison.Ordinal) && address.EndsWith(':' + wanted, StringComparison.Ordinal));
    }

    private static Task<string?> InfoAsync(ControlConnection control, string key, CancellationToken cancellationToken) =>
        AskAsync(() => control.GetInfoAsync(key, cancellationToken));

    /// <summary>Null for what this tor does not know or does not say now.</summary>
    private static async Task<T?> AskAsync<T>(Func<Task<T>> ask)
        where T : class
    {
        try
        {
            return await ask();
        }
        catch (Exception failure) when (failure is ControlReplyException or ControlProtocolException)
        {
            return null;
        }
    }

    /// <summary>"2026-11-29 04:40:00" or with a T, in UTC.</summary>
    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(
            text?.Trim('"'), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : null;
}
