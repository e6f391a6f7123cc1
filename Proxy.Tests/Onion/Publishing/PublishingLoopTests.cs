using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>The loop with a control port that plays tor: what real directories cannot be made to do.</summary>
public class PublishingLoopTests
{
    [Test, CancelAfter(60_000)]
    public async Task Directory_that_refuses_once_gets_it_and_a_tor_that_goes_away_is_found_again(CancellationToken token)
    {
        await using var tor = new TorOfVectors { RefusedTries = 1 };
        using var identity = OnionVectors.BalancedIdentity;
        var service = Service(identity);
        var counters = new PublishCounters();
        var loop = Loop(service, counters, tor);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var running = loop.RunAsync(stop.Token);

        await UntilAsync(loop, IsPublished, token);
        Assert.That(Interlocked.Read(ref counters.UploadsFailed), Is.EqualTo(1));
        Assert.That(Interlocked.Read(ref counters.UploadsDone), Is.EqualTo(16));
        Assert.That(tor.Posts, Is.EqualTo(17));

        tor.Port.CloseConnections();
        await UntilAsync(loop, static state => state.Problem is not null, token);
        await UntilAsync(loop, static state => state.Problem is null, token);
        Assert.That(await loop.AskAsync((state, _) => IsPublished(state), token), Is.True, "what is published stays");
        await stop.CancelAsync();
        await running;
    }

    [Test, CancelAfter(30_000)]
    public async Task Tor_that_serves_clients_is_refused(CancellationToken token)
    {
        await using var tor = new TorOfVectors { SocksPort = "\"127.0.0.1:9050\"" };
        using var identity = OnionVectors.BalancedIdentity;
        var loop = Loop(Service(identity), new PublishCounters(), tor);

        var failure = await Assert.ThrowsAsync<PublisherException>(() => loop.RunAsync(token));

        Assert.That(failure!.Message, Does.StartWith("the tor at [Publisher] ControlPort serves clients (socks port 127.0.0.1:9050)"));
        Assert.That(tor.Port.Commands.Where(static one => one.StartsWith("HSFETCH", StringComparison.Ordinal)), Is.Empty);
    }

    /// <summary>A tor that sleeps gets no consensus, and so nothing would be fetched from it that could wake it.</summary>
    [Test, CancelAfter(30_000)]
    public async Task Tor_whose_consensus_is_stale_is_woken(CancellationToken token)
    {
        await using var tor = new TorOfVectors();
        using var identity = OnionVectors.BalancedIdentity;
        var loop = Loop(Service(identity), new PublishCounters(), tor, late: TimeSpan.FromDays(3));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var running = loop.RunAsync(stop.Token);

        await UntilAsync(
            loop, static state => state.Problem?.StartsWith("the consensus is valid until", StringComparison.Ordinal) == true, token);

        Assert.That(tor.Port.Commands, Does.Contain("SIGNAL ACTIVE"));
        await stop.CancelAsync();
        await running;
    }

    private static bool IsPublished(PublisherState state) => Enum.GetValues<DescriptorOrder>().All(order =>
        state.Services[0].Version(order) is { } version && version.Uploads.All(static one => one.State == UploadState.Uploaded));

    private static BalancedService Service(TorBalancer.Onion.Keys.IdentityKey identity) => new(
        new OnionServiceOptions { Name = "shop" }, identity,
        [
            .. Instances.All.Select(static (one, i) => new InstanceWatch(
                "shop", new InstanceState($"n{i}", one.Address, 1), InstanceCheck.None, OnionVectors.BalancedNow)),
        ]);

    private static PublishingLoop Loop(BalancedService service, PublishCounters counters, TorOfVectors tor, TimeSpan late = default) => new(
        new PublisherState([service], counters, NullLogger.Instance),
        _ => Task.FromResult(new PublisherTorAccess(tor.Port.EndPoint, ControlCredentials.None, null, IsOurs: false)),
        new TimeOfVectors(late), NullLogger.Instance);

    private static async Task UntilAsync(PublishingLoop loop, Func<PublisherState, bool> holds, CancellationToken token)
    {
        while (!await loop.AskAsync((state, _) => holds(state), token))
            await Task.Delay(50, token);
    }

    /// <summary>The clock as it was when the vectors were made, or so much later, running.</summary>
    private sealed class TimeOfVectors(TimeSpan late) : TimeProvider
    {
        private readonly TimeSpan _shift = OnionVectors.BalancedNow + late - System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _shift;
    }

    /// <summary>A tor with the consensus and the descriptors of the vectors.</summary>
    private sealed class TorOfVectors : IAsyncDisposable
    {
        // With those that the vectors leave out of a network to see what becomes of them.
        private static readonly string Microdescriptors = OnionVectors.Balanced.Text("microdescriptors")
            + string.Concat(OnionVectors.All["relays"]!.AsArray().Select(static one => one![1]!.GetValue<string>()));

        private readonly HashSet<string> _refused = [];

        public TorOfVectors() => Port.Script = Answer;

        public FakeControlPort Port { get; } = new();

        public string SocksPort { get; init; } = "";

        /// <summary>So many uploads to the first directory are refused.</summary>
        public int RefusedTries { get; init; }

        public int Posts { get; private set; }

        public ValueTask DisposeAsync() => Port.DisposeAsync();

        private string? Answer(string command)
        {
            string[] words = command.Split(' ', '\n');
            switch (words[0])
            {
                case "GETINFO" when words[1] == "net/listeners/socks":
                    return $"250-net/listeners/socks={SocksPort}\r\n250 OK\r\n";
                case "GETINFO" when words[1].StartsWith("net/listeners/", StringComparison.Ordinal):
                    return $"250-{words[1]}=\r\n250 OK\r\n";
                case "GETINFO" when words[1] == "consensus/valid-after":
                    return "250-consensus/valid-after=2026-11-20 09:00:00\r\n250 OK\r\n";
                case "GETINFO":
                    return Data(words[1], OnionVectors.Balanced.Text("consensus"))
                        + Data(words[2], Microdescriptors) + "250 OK\r\n";
                case "GETCONF":
                    return "250 TestingTorNetwork=1\r\n";
                case "HSFETCH":
                    return "250 OK\r\n" + Fetched(words[1]);
                case "+HSPOST":
                    Posts++;
                    string directory = words[1]["SERVER=".Length..], address = words[2]["HSADDRESS=".Length..];
                    bool isRefused = _refused.Count < RefusedTries && _refused.Add(directory);
                    return "250 OK\r\n" + (isRefused
                        ? $"650 HS_DESC FAILED {address} NO_AUTH ${directory}~relay id REASON=UPLOAD_REJECTED\r\n"
                        : $"650 HS_DESC UPLOADED {address} UNKNOWN ${directory}\r\n");
                default:
                    return FakeControlPort.DefaultScript(command);
            }
        }

        private static string Fetched(string address)
        {
            const string directory = "$0123456789012345678901234567890123456789";
            foreach (var (known, text) in Instances.All)
            {
                if (known.Label == address)
                    return $"650+HS_DESC_CONTENT {address} id {directory}\r\n{Lines(text)}.\r\n650 OK\r\n";
            }

            return $"650 HS_DESC FAILED {address} NO_AUTH {directory} id REASON=NOT_FOUND\r\n"
                + $"650+HS_DESC_CONTENT {address} id {directory}\r\n\r\n.\r\n650 OK\r\n";
        }

        private static string Data(string key, string text) => $"250+{key}=\r\n{Lines(text)}.\r\n";

        private static string Lines(string text) =>
            string.Concat(text.TrimEnd('\n').Split('\n').Select(static line => (line.StartsWith('.') ? "." : "") + line + "\r\n"));
    }
}
