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

    /// <summary>
    /// With conflux, tor puts a stream on the first set of circuits that its isolation allows, a fresh one as well as its own: sessions
    /// wander, restart or not. Managed workers have it off.
    /// </summary>
    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _network = await SharedTestNetwork.GetAsync();
        foreach (var worker in _network.Workers)
        {
            await using var control = await WorkerControl.ConnectAsync(worker, CancellationToken.None);
            await control.SetConfAsync([KeyValuePair.Create<string, string?>("ConfluxEnabled", "0")], CancellationToken.None);
            foreach (string line in await control.GetInfoLinesAsync("circuit-status", CancellationToken.None))
            {
                if (CircuitInfo.TryParse(line) is { } circuit)
                    await control.CloseCircuitAsync(circuit.Id, onlyIfUnused: false, CancellationToken.None);
            }
        }
    }

    [OneTimeTearDown]
    public async Task TurnConfluxOnAsync()
    {
        foreach (var worker in _network.Workers)
        {
            await using var control = await WorkerControl.ConnectAsync(worker, CancellationToken.None);
            await control.ResetConfAsync([KeyValuePair.Create<string, string?>("ConfluxEnabled", null)], CancellationToken.None);
        }
    }

    [Test, CancelAfter(120_000)]
    public async Task Restart_and_a_second_gateway_keep_worker_circuit_and_exit_of_every_session(CancellationToken token)
    {
        string state = Directory.CreateTempSubdirectory("tbstate").FullName;
        try
        {
            // No workers of its own are configured away: the directory is where state is kept, whoever the workers are.
            string kept = $"{DaemonUnderTest.ConfigurationFor(_network)}\n[ManagedWorkers]\nDataDirectory = {state}\n";
            string[] before, circuits;
            await using (var first = await DaemonUnderTest.StartAsync(kept, token))
            {
                before = await WaysAsync(first, token);
                circuits = await CircuitsAsync(token);
                Assert.That(await first.StopAsync(token), Is.Zero);
            }

            string file = Path.Combine(state, "isolation.key");
            Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
            await using var restarted = await DaemonUnderTest.StartAsync(kept, token);
            await using var gateway = await DaemonUnderTest.StartAsync(
                $"{DaemonUnderTest.ConfigurationFor(_network)}\n[Balancing]\nKeyFile = {file}\n", token);
            Assert.That(await WaysAsync(restarted, token), Is.EqualTo(before));
            Assert.That(await WaysAsync(gateway, token), Is.EqualTo(before));
            Assert.That(await CircuitsAsync(token), Is.EqualTo(circuits), "nobody has asked for another circuit");
            Assert.That(circuits, Has.Length.EqualTo(Sessions), "each session has one");
            Assert.That(before.Distinct().Count(), Is.GreaterThan(1), "the sessions are not all alike");
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    /// <summary>The circuits that tor knows clients' isolation tokens by, each with its worker and its token.</summary>
    private async Task<string[]> CircuitsAsync(CancellationToken token)
    {
        var circuits = new List<string>();
        foreach (var worker in _network.Workers)
        {
            await using var control = await WorkerControl.ConnectAsync(worker, token);
            foreach (string line in await control.GetInfoLinesAsync("circuit-status", token))
            {
                if (CircuitInfo.TryParse(line) is { SocksPassword: { } password } circuit && !ProbeToken.Is(password))
                    circuits.Add($"{worker.Name} {circuit.Id} {password}");
            }
        }

        return [.. circuits.Order(StringComparer.Ordinal)];
    }

    /// <summary>The worker and the exit of each session, half of them with a life-time.</summary>
    private async Task<string[]> WaysAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        var ways = new List<string>();
        for (int i = 0; i < Sessions; i++)
        {
            string exit = await ExitAsync(daemon, i % 2 == 0 ? $"session-s{i}" : $"session-s{i}-lifetime-24h", token);
            string line = await daemon.WaitForLineAsync(
                static line => line.Contains(" protocol=socks5 target=", StringComparison.Ordinal), token, after: i);
            Assert.That(_network.Exits.Select(static one => one.Name), Does.Contain(exit.Trim()));
            ways.Add($"{Worker().Match(line).Groups[1].Value} {exit.Trim()}");
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
