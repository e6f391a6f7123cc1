using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Onion.Network;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Onion.Publishing;

/// <summary>The publisher cannot work with what it was given; the message says what to change.</summary>
internal sealed class PublisherException(string message) : Exception(message);

/// <summary>How the publisher's tor is reached.</summary>
/// <param name="Control">Its control port.</param>
/// <param name="Socks">The SOCKS port that checks go through; null: there are none.</param>
/// <param name="IsOurs">It was started for the publisher: nobody else uses it, whatever ports it has.</param>
internal sealed record PublisherTorAccess(EndPoint Control, ControlCredentials Credentials, EndPoint? Socks, bool IsOurs);

/// <summary>An open connection to the publisher's tor, after all that must be known of it was asked.</summary>
internal sealed partial class PublisherTor : IAsyncDisposable
{
    private static readonly string[] Events = ["HS_DESC", "HS_DESC_CONTENT", "STATUS_CLIENT", "STATUS_GENERAL"];

    private static readonly string[] ClientPorts = ["socks", "trans", "natd", "dns", "httptunnel"];

    // What releases of tor were mended of that concerns publishers, and since when.
    private static readonly (TorVersion FixedIn, string Fault)[] Faults =
    [
        (new(0, 4, 9, 12), "an assertion in HSFETCH with the name of a relay (mended in 0.4.9.12; the publisher never names one)"),
        (new(0, 4, 9, 14), "introductions to onion services that fail (mended in 0.4.9.14)"),
    ];

    private PublisherTor(ControlConnection control, ControlSubscription subscription, PublisherTorAccess access)
    {
        Control = control;
        Subscription = subscription;
        Access = access;
    }

    public ControlConnection Control { get; }

    public ControlSubscription Subscription { get; }

    public PublisherTorAccess Access { get; }

    public string Version { get; private init; } = "";

    public bool IsTestingNetwork { get; private init; }

    /// <summary>
    /// Connects, and refuses a tor that others use with a <see cref="PublisherException"/>. Throws besides what the control connection
    /// throws.
    /// </summary>
    public static async Task<PublisherTor> ConnectAsync(
        PublisherTorAccess access, ILogger logger, TimeProvider time, CancellationToken cancellationToken)
    {
        var control = await ControlConnection.ConnectAsync(
            access.Control, access.Credentials, TorNetwork.Limits, logger, time, cancellationToken);
        try
        {
            if (!access.IsOurs && await ClientPortOfAsync(control, cancellationToken) is { } port)
            {
                throw new PublisherException(
                    $"the tor at [Publisher] ControlPort serves clients ({port}): "
                        + "fetching and publishing would disturb them, and they the publisher. Give it a tor of its own with SocksPort 0, "
                        + "or set Managed = yes");
            }

            bool isTesting = await TorNetwork.IsTestingAsync(control, cancellationToken);
            string version = control.Info.TorVersion;
            if (FaultsOf(version) is { Length: > 0 } faults)
                Log.Old(logger, version, faults);
            var subscription = control.Subscribe();
            await control.SetEventsAsync(Events, cancellationToken);
            Log.Connected(logger, version, access.Control);
            return new PublisherTor(control, subscription, access)
            {
                Version = version,
                IsTestingNetwork = isTesting,
            };
        }
        catch
        {
            await control.DisposeAsync();
            throw;
        }
    }

    /// <summary>What a release of tor has of the faults that concern publishers, for the log; empty: none, or it is not known.</summary>
    /// <param name="version">As tor gives it in PROTOCOLINFO.</param>
    public static string FaultsOf(string version) => TorVersion.TryParse(version) is { } known
        ? string.Join(", and ", Faults.Where(one => known < one.FixedIn).Select(static one => one.Fault))
        : "";

    /// <summary>A port for clients that a tor has open, as in "socks port 127.0.0.1:9050"; null: none.</summary>
    public static async Task<string?> ClientPortOfAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        foreach (string kind in ClientPorts)
        {
            string open;
            try
            {
                open = await control.GetInfoAsync($"net/listeners/{kind}", cancellationToken);
            }
            catch (ControlReplyException)
            {
                // A kind that this tor does not know.
                continue;
            }

            var tokens = new ControlTokens(open);
            if (tokens.TryWord(out string address))
                return kind + " port " + address.Trim('"');
        }

        return null;
    }

    /// <summary>When its consensus became valid, as tor writes it; null: it has none.</summary>
    public async Task<string?> ConsensusTimeAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await Control.GetInfoAsync("consensus/valid-after", cancellationToken);
        }
        catch (ControlReplyException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Subscription.Dispose();
        await Control.DisposeAsync();
    }

    private static partial class Log
    {
        [LoggerMessage(PublishingEventIds.Connected, LogLevel.Information, "Connected to tor {Version} at {Control}")]
        public static partial void Connected(ILogger logger, string version, EndPoint control);

        [LoggerMessage(
            PublishingEventIds.OldTor, LogLevel.Warning,
            "tor {Version} has faults that concern publishers: {Faults}. Take 0.4.9.14 or later")]
        public static partial void Old(ILogger logger, string version, string faults);
    }
}
