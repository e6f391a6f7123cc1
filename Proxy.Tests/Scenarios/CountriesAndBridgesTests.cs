using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Managed workers of a whole daemon in the test network: their exits by country, and their way in by bridges.</summary>
[NonParallelizable] // Each starts tors of its own.
public sealed class CountriesAndBridgesTests
{
    private TestNetwork _network = null!;
    private string _directory = "";

    [OneTimeSetUp]
    public async Task StartAsync() => _network = await SharedTestNetwork.GetAsync();

    [SetUp]
    public void SetUp() => _directory = Directory.CreateTempSubdirectory("tbw").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_directory, recursive: true);

    [Test, CancelAfter(120_000)]
    public async Task Countries_give_each_worker_exits_of_its_own(CancellationToken token)
    {
        // e01 is in Germany, the others are in the United States; nobody knows where the other relays are.
        string geoip = Path.Combine(_directory, "geoip");
        await File.WriteAllLinesAsync(
            geoip, _network.Exits.Select((exit, i) => $"{Number(exit.Address)},{Number(exit.Address)},{(i == 0 ? "DE" : "US")}"), token);
        await using var daemon = await StartDaemonAsync(
            "Countries = de, us, any", [.. _network.ClientTorrc, $"GeoIPFile {geoip}"], token);
        foreach (string id in (string[])["tor-1", "tor-2", "tor-3"])
            await daemon.WaitForLineAsync(line => line.Contains($"Worker {id}: ready", StringComparison.Ordinal), token);

        string german = _network.Exits[0].Name + "\n";
        for (int i = 0; i < 6; i++)
        {
            Assert.That(await ExitAsync(daemon, $"session-d{i}-country-de"), Is.EqualTo(german));
            Assert.That(await ExitAsync(daemon, $"session-u{i}-country-US"), Is.Not.EqualTo(german).And.StartsWith("e"));
        }

        // curl's own code for a SOCKS answer other than success, with SOCKS's code in words.
        var refused = await CurlAsync(daemon, "socks5h", "country-fr");
        Assert.That((refused.ExitCode, refused.Error), Is.EqualTo((97, refused.Error)));
        Assert.That(refused.Error, Does.Contain("(2)"), "connection not allowed by ruleset");
        refused = await CurlAsync(daemon, "socks4a", "country-fr");
        Assert.That(refused.ExitCode, Is.EqualTo(97));
        Assert.That(refused.Error, Does.Contain("(93)"), "the user id is to blame");
        var page = await CurlAsync(daemon, "http", "country-fr", "-i");
        Assert.That(
            page.Output,
            Does.StartWith("HTTP/1.1 403 ").And.Contain("there are de, us")
                .And.Contain("Proxy-Status: torbalancer; error=http_request_denied; details=\"cause=country_not_served"));

        await daemon.WaitForLineAsync(
            static line => line.Contains("Worker tor-1: exits that the Tor network has in its country de: 1;", StringComparison.Ordinal),
            token);
        await daemon.WaitForLineAsync(
            static line => line.Contains("Worker tor-2: exits that the Tor network has in its country us: 2;", StringComparison.Ordinal),
            token);
        Assert.That(await AskAsync("/api/v1/workers", token), Does.Contain("\"country_exits\":1").And.Contain("\"country_exits\":2"));

        async Task<string> ExitAsync(DaemonUnderTest through, string user) => (await CurlAsync(through, "socks5h", user)).Output;

        Task<ClientResult> CurlAsync(DaemonUnderTest through, string scheme, string user, params string[] more) =>
            ClientProcess.CurlAsync(
                token, [.. more, "--proxy", $"{scheme}://{user}@{through}", $"http://{TestNetwork.OriginName}:{_network.OriginPort}/exit"]);
    }

    [Test, CancelAfter(120_000)]
    public async Task Bridges_with_obfs4_carry_a_worker_in(CancellationToken token)
    {
        ClientProcess.Require("obfs4proxy");
        await using var bridge = await BridgeUnderTest.StartAsync(_network, Path.Combine(_directory, "bridge"), token);
        string file = Path.Combine(_directory, "bridges");
        await File.WriteAllTextAsync(file, $"# ours\n\nBridge {bridge.Line}\n", token);
        await using var daemon = await StartDaemonAsync($"Count = 1\nBridges = {file}", _network.ClientTorrc, token);
        await daemon.WaitForLineAsync(static line => line.Contains("Worker tor-1: ready", StringComparison.Ordinal), token);

        var result = await ClientProcess.CurlAsync(
            token, "--proxy", $"socks5h://{daemon}", $"http://{TestNetwork.OriginName}:{_network.OriginPort}/exit");
        Assert.That(_network.Exits.Select(static exit => exit.Name + "\n"), Does.Contain(result.Output));
        string torrc = await File.ReadAllTextAsync(Path.Combine(State(daemon), "tor-1.torrc"), token);
        Assert.That(torrc, Does.Contain("UseBridges 1\nClientTransportPlugin obfs4 exec ").And.Contain($"Bridge {bridge.Line}\n"));

        await using var control = await ControlConnection.ConnectAsync(
            new UnixDomainSocketEndPoint(Path.Combine(State(daemon), "run/tor-1/control")),
            new ControlCredentials(Path.Combine(State(daemon), "tor-1/control_auth_cookie")), ControlConnectionOptions.Default,
            NullLogger.Instance, TimeProvider.System, token);
        var built = (await control.GetInfoLinesAsync("circuit-status", token)).Select(CircuitInfo.TryParse)
            .Where(static circuit => circuit is { Status: CircuitStatus.Built, Path.Count: > 1 }).ToArray();
        Assert.That(built.Select(static circuit => circuit!.Path[0].Fingerprint).Distinct(), Is.EqualTo(new[] { bridge.Fingerprint }));
    }

    // Of a transport's program tor has its log only.
    [TestCase("", "", "Connection refused (CONNECTREFUSED, 127.0.0.1:")]
    [TestCase("obfs4 ", " cert=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA iat-mode=0",
        "Proxy Client: unable to connect OR connection")]
    [CancelAfter(120_000)]
    public async Task A_bridge_that_is_not_there_is_told_with_tors_own_reason(
        string transport, string arguments, string reason, CancellationToken token)
    {
        if (transport.Length > 0)
            ClientProcess.Require("obfs4proxy");
        string line = $"{transport}127.0.0.1:{_network.ClosedPort} {new string('A', 40)}{arguments}";
        await using var daemon = await StartDaemonAsync($"Count = 1\nBridges = {line}", _network.ClientTorrc, token);
        string told = await daemon.WaitForLineAsync(
            static line => line.Contains("Worker tor-1: problem at", StringComparison.Ordinal), token);
        Assert.That(told, Does.Contain(reason));
        Assert.That(await AskAsync("/api/v1/health", token), Does.Contain(reason));
    }

    private Task<DaemonUnderTest> StartDaemonAsync(string managed, IEnumerable<string> torrc, CancellationToken token)
    {
        string extra = Path.Combine(_directory, "extra");
        File.WriteAllLines(extra, torrc);
        return DaemonUnderTest.StartAsync(
            $"[ManagedWorkers]\n{managed}\nExtraTorrc = {extra}\n\n[Health]\nCanary = {_network.OriginUrl}\n\n"
                + $"[Rule:testnet]\nNetwork = 127.0.0.0/8\nRoute = socks\n",
            token, socket: "unix:" + AdminSocket);
    }

    private string AdminSocket => Path.Combine(_directory, "admin");

    private static string State(DaemonUnderTest daemon) => Path.Combine(daemon.Directory, ".local/state/torbalancer");

    private async Task<string> AskAsync(string path, CancellationToken token) =>
        (await ClientProcess.CurlAsync(token, "--unix-socket", AdminSocket, "http://localhost" + path)).Output;

    private static uint Number(IPAddress address) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());
}
