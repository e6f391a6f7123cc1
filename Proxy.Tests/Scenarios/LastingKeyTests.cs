using System.Net;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Warm;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Sessions over a restart of the daemon, and through two daemons with one key, in front of real tors.</summary>
[SupportedOSPlatform("linux")]
[NonParallelizable] // Others would ask the same tors for circuits.
public sealed partial class LastingKeyTests
{
    private const int Sessions = 8;

    private TestNetwork _network = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _network = await SharedTestNetwork.GetAsync();

    [Test, CancelAfter(120_000)]
    public async Task Restart_and_a_second_gateway_keep_worker_and_token_of_every_session(CancellationToken token)
    {
        string state = Directory.CreateTempSubdirectory("tbstate").FullName;
        try
        {
            // No workers of its own are configured away: the directory is where state is kept, whoever the workers are.
            string kept = $"{DaemonUnderTest.ConfigurationFor(_network)}\n[ManagedWorkers]\nDataDirectory = {state}\n";
            string[] before;
            HashSet<string> tokens;
            await using (var first = await DaemonUnderTest.StartAsync(kept, token))
            {
                before = await WaysAsync(first, token);
                tokens = await TokensAsync(token);
                Assert.That(await first.StopAsync(token), Is.Zero);
            }

            string file = Path.Combine(state, "isolation.key");
            Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
            await using var restarted = await DaemonUnderTest.StartAsync(kept, token);
            await using var gateway = await DaemonUnderTest.StartAsync(
                $"{DaemonUnderTest.ConfigurationFor(_network)}\n[Balancing]\nKeyFile = {file}\n", token);
            Assert.That(await WaysAsync(restarted, token), Is.EqualTo(before));
            Assert.That(await WaysAsync(gateway, token), Is.EqualTo(before));

            // A circuit that broke is replaced by one with another token, which may be one of eight.
            Assert.That((await TokensAsync(token)).Except(tokens).Count(), Is.LessThanOrEqualTo(1), "nobody has asked for another circuit");
            Assert.That(before.Distinct().Count(), Is.GreaterThan(1), "the sessions are not all alike");
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    /// <summary>
    /// The isolation tokens that tor knows circuits by, of clients. While tor keeps a circuit, the same token has the same exit; it may
    /// also move a token from a single circuit to a set of two (conflux), so that exits alone prove nothing.
    /// </summary>
    private async Task<HashSet<string>> TokensAsync(CancellationToken token)
    {
        var tokens = new HashSet<string>();
        foreach (var worker in _network.Workers)
        {
            await using var control = await WorkerControl.ConnectAsync(worker, token);
            foreach (string line in await control.GetInfoLinesAsync("circuit-status", token))
            {
                if (CircuitInfo.TryParse(line)?.SocksPassword is { } password && !ProbeToken.Is(password))
                    tokens.Add(password);
            }
        }

        return tokens;
    }

    /// <summary>The worker of each session, half of them with a life-time.</summary>
    private async Task<string[]> WaysAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        var ways = new List<string>();
        for (int i = 0; i < Sessions; i++)
        {
            string exit = await ExitAsync(daemon, i % 2 == 0 ? $"session-s{i}" : $"session-s{i}-lifetime-24h", token);
            string line = await daemon.WaitForLineAsync(
                static line => line.Contains(" protocol=socks5 target=", StringComparison.Ordinal), token, after: i);
            Assert.That(_network.Exits.Select(static one => one.Name), Does.Contain(exit.Trim()));
            ways.Add(Worker().Match(line).Groups[1].Value);
        }

        return [.. ways];
    }

    /// <summary>By SOCKS: over HTTP a client sends its user name only to those who ask for it.</summary>
    private async Task<string> ExitAsync(DaemonUnderTest daemon, string user, CancellationToken token)
    {
        using var handler = new SocketsHttpHandler
        {
            Proxy = new WebProxy($"socks5://{daemon.Address}") { Credentials = new NetworkCredential(user, "x") },
        };
        using var client = new HttpClient(handler);
        return await client.GetStringAsync(new Uri($"{_network.OriginUrl}exit"), token);
    }

    [GeneratedRegex(@" worker=(\S+) ")]
    private static partial Regex Worker();
}
