using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using TorBalancer.Processes;
using TorBalancer.Testnet;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// contrib/haproxy/haproxy.cfg for real, agent-check and PROXY protocol included: HAProxy, two daemons and clients of several addresses in
/// network namespaces on one wire, in front of real tors. Requests run all the time, while one gateway is drained, comes back, is
/// upgraded, and the other one is killed.
/// </summary>
[SupportedOSPlatform("linux")]
[CancelAfter(240_000)]
public sealed partial class SeveralGatewaysTests
{
    private const string Balancer = "192.0.2.10", First = "192.0.2.11", Second = "192.0.2.12";

    /// <summary>How often each gateway serves each client before the next thing happens.</summary>
    private const int Enough = 2;

    // Each asks for a name of its own, by which tor's streams and the gateways' logs tell whose they are.
    private static readonly Client[] Clients =
    [
        new("192.0.2.20", "c20.test", ""), new("192.0.2.21", "c21.test", ""), new("192.0.2.22", "c22.test", ""),
        new("192.0.2.20", "s20.test", "session-kept"), new("192.0.2.21", "s21.test", "session-kept"),
    ];

    private readonly List<DaemonUnderTest> _gateways = [];
    private string _directory = "";

    private string Stats => Path.Combine(_directory, "stats");

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("tbg").FullName;

    [TearDown]
    public async Task EndAsync()
    {
        // They would be lame ducks for long.
        foreach (var gateway in Enumerable.Reverse(_gateways))
        {
            if (!gateway.Exited.IsCompleted)
                gateway.Kill();
            await gateway.DisposeAsync();
        }

        _gateways.Clear();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>
    /// What a killed gateway carries at that moment is lost, in any crash; a client that had no answer yet asks again, as browsers do
    /// (RFC 9110, 9.2.2). Nobody else has to.
    /// </summary>
    [Test]
    public async Task Clients_keep_worker_and_exit_and_see_no_error_while_gateways_drain_return_upgrade_and_die(CancellationToken token)
    {
        await using var lab = await WireLab.StartAsync("tbg", token, "haproxy", "python3");
        var network = await SharedTestNetwork.GetAsync();
        await using var tor1 = await StartTorAsync(network, "w1", token);
        await using var tor2 = await StartTorAsync(network, "w2", token);
        await using var streams = await TorStreams.WatchAsync([("w1", tor1.Control), ("w2", tor2.Control)], token);
        var (machine1, machine2, balancer, users) = (
            await lab.PlugInAsync("gw1", First, token), await lab.PlugInAsync("gw2", Second, token),
            await lab.PlugInAsync("balancer", Balancer, token), await lab.PlugInAsync("clients", Clients[0].Address, token));
        foreach (string address in Clients.Select(static one => one.Address).Distinct().Skip(1))
            await users.RunAsync(token, "ip", "addr", "add", $"{address}/24", "dev", "eth0");
        await File.WriteAllTextAsync(Path.Combine(_directory, "isolation.key"), new string('5', 64) + "\n", token);
        File.SetUnixFileMode(Path.Combine(_directory, "isolation.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);

        var gateway1 = await StartAsync(machine1, First, tor1, tor2, token);
        var gateway2 = await StartAsync(machine2, Second, tor1, tor2, token);
        await using var haproxy = StartHaproxy(balancer);
        await BecomesAsync("gw1", "UP", token);
        await BecomesAsync("gw2", "UP", token);
        await using var load = await StartClientsAsync(users, network.OriginPort, token);
        await Task.WhenAll(ServesAllAsync(gateway1, token), ServesAllAsync(gateway2, token));

        // One is drained: nothing new goes there, and it ends while everything runs.
        gateway1.Terminate();
        await haproxy.WaitForLineAsync("Server gateways/gw1 enters drain state", token);
        string before = await ColumnAsync("gw1", "stot", token);
        await ServesAllAsync(gateway2, token);
        Assert.That(await ColumnAsync("gw1", "stot", token), Is.EqualTo(before), "nothing new goes there");
        Assert.That(gateway1.Exited.IsCompleted, Is.False);
        Assert.That(await gateway1.StopAsync(token), Is.Zero);

        // Another one in its place says ready: HAProxy would keep the drain otherwise.
        gateway1 = await StartAsync(machine1, First, tor1, tor2, token);
        await haproxy.WaitForLineAsync("(leaving forced drain)", token);
        await BecomesAsync("gw1", "UP", token);
        await ServesAllAsync(gateway1, token);

        // A new release takes over from it; HAProxy hears nothing of it.
        var upgraded = await gateway1.SucceedAsync(token);
        _gateways.Add(upgraded);
        Assert.That(await gateway1.Exited.WaitAsync(token), Is.Zero, string.Join('\n', gateway1.Lines));
        await ServesAllAsync(upgraded, token);
        Assert.That(await ColumnAsync("gw1", "status", token), Does.StartWith("UP"));

        // The other one dies.
        gateway2.Kill();
        await gateway2.Exited.WaitAsync(token);
        double killed = Now();
        await haproxy.WaitForLineAsync("Server gateways/gw2 is DOWN", token);
        await ServesAllAsync(upgraded, token);

        var requests = await EndClientsAsync(load, token);
        CheckClients(requests, killed);
        CheckGateways();
        CheckCircuits(streams.Carried);
    }

    private static void CheckClients(IReadOnlyList<Request> requests, double killed)
    {
        var again = requests.Where(static one => one.Tries > 1).ToList();
        TestContext.Out.WriteLine($"{requests.Count} requests, {again.Count} asked again, when the gateway was killed");
        Assert.That(requests.Where(static one => one.Error.Length > 0), Is.Empty);
        Assert.That(again.Where(one => one.Began > killed || one.Ended < killed - 10), Is.Empty, "only what the killed one carried");
        Assert.That(again, Has.Count.LessThanOrEqualTo(Clients.Length), "a client asks one thing at a time");
        foreach (var client in Clients)
        {
            // tor itself may replace a circuit that breaks; it does not spread a client over its exits.
            string[] exits = [.. requests.Where(one => one.Host == client.Host).Select(static one => one.Exit)];
            TestContext.Out.WriteLine($"{client}: {exits.Length} requests by {string.Join(", ", exits.Distinct())}");
            Assert.That(exits.Zip(exits.Skip(1)).Count(static pair => pair.First != pair.Second), Is.LessThan(2), string.Join(' ', exits));
        }
    }

    /// <summary>Whichever of them had a client: it was that client, and it had the same worker.</summary>
    private void CheckGateways()
    {
        string[] lines = [.. _gateways.SelectMany(static one => one.Lines).Where(IsServed)];
        foreach (var client in Clients)
        {
            string[] own = [.. lines.Where(line => IsOf(line, client))];
            Assert.That(own.Select(static line => AccessEntry.Field(line, "client")), Is.All.EqualTo(client.Address));
            Assert.That(own.Select(static line => AccessEntry.Field(line, "worker")).Distinct().Count(), Is.EqualTo(1), client.ToString());
        }
    }

    /// <summary>As tor saw it: each client has one token, at one worker, and no circuit carried two clients.</summary>
    private static void CheckCircuits(IReadOnlyCollection<TorStream> streams)
    {
        foreach (var client in Clients)
        {
            var own = streams.Where(one => one.Host == client.Host).ToList();
            Assert.That(own.Select(static one => (one.Worker, one.Token)).Distinct().Count(), Is.EqualTo(1), client.ToString());
        }

        foreach (var circuit in streams.GroupBy(static one => (one.Worker, one.Circuit)))
            Assert.That(circuit.Select(static one => one.Host).Distinct().Count(), Is.EqualTo(1), circuit.Key.ToString());
        Assert.That(streams.Select(static one => one.Token).Distinct().Count(), Is.EqualTo(Clients.Length));
    }

    /// <summary>A tor that both gateways reach: by the file system, which network namespaces share.</summary>
    private Task<ClientTor> StartTorAsync(TestNetwork network, string name, CancellationToken token) => ClientTor.StartAsync(
        network, "", token, $"SocksPort unix:{SocksOf(name)} ExtendedErrors KeepAliveIsolateSOCKSAuth", "ConfluxEnabled 0");

    private string SocksOf(string worker) => Path.Combine(_directory, worker);

    private async Task<DaemonUnderTest> StartAsync(
        NetworkNamespace machine, string address, ClientTor tor1, ClientTor tor2, CancellationToken token)
    {
        string directory = DaemonUnderTest.MakeDirectory();
        var gateway = await DaemonUnderTest.StartAsync(
            $"""
            [Balancing]
            Mode = sticky
            KeyFile = {_directory}/isolation.key
            [Blacklist]
            Relays = off
            Rebuild = no
            [Circuits]
            Warm = off
            [Health]
            Enabled = no
            [Log]
            Targets = yes
            [Readiness]
            Address = {address}:1082
            Agent = {address}:1083
            [Tunnel]
            LameDuck = 10m
            [Worker:w1]
            Address = unix:{SocksOf("w1")}
            ControlPort = unix:{tor1.Control}
            [Worker:w2]
            Address = unix:{SocksOf("w2")}
            ControlPort = unix:{tor2.Control}

            """, token, directory, machine.Under, socket: $"unix:{directory}/admin.sock",
            environment: new Dictionary<string, string>
            {
                ["TORBALANCER_Listener__main__Address"] = $"{address}:1080",
                ["TORBALANCER_Listener__main__AllowFrom"] = "192.0.2.0/24",
                ["TORBALANCER_Listener__main__ProxyProtocol"] = Balancer,
            });
        _gateways.Add(gateway);
        return gateway;
    }

    /// <summary>
    /// The shipped file, with the line in force that it has for PROXY protocol. A busy machine may answer late; whoever takes the last
    /// gateway for dead serves nobody.
    /// </summary>
    private ForegroundProcess StartHaproxy(NetworkNamespace machine)
    {
        string text = Repository.Text("contrib/haproxy/haproxy.cfg"), file = Path.Combine(_directory, "haproxy.cfg");
        foreach (var (old, next) in ((string, string)[])[
            ("#default-server send-proxy-v2", "default-server send-proxy-v2"), ("timeout check 5s", "timeout check 30s")])
        {
            Assert.That(text, Does.Contain(old));
            text = text.Replace(old, next, StringComparison.Ordinal);
        }

        File.WriteAllText(file, text + $"\nglobal\n    stats socket {Stats} mode 600 level admin\n");
        return ForegroundProcess.Start([.. machine.Under, ClientProcess.Require("haproxy"), "-db", "-f", file]);
    }

    /// <summary>Waits until a gateway has served each client so often from now on.</summary>
    private static async Task ServesAllAsync(DaemonUnderTest gateway, CancellationToken token)
    {
        int from = gateway.Lines.Count;
        while (true)
        {
            string[] lines = [.. gateway.Lines.Skip(from).Where(IsServed)];
            if (Array.TrueForAll(Clients, client => lines.Count(line => IsOf(line, client)) >= Enough))
                return;
            Assert.That(gateway.Exited.IsCompleted, Is.False, string.Join('\n', gateway.Lines));
            await Task.Delay(100, token);
        }
    }

    private static bool IsServed(string line) =>
        line.Contains(" protocol=socks5 ", StringComparison.Ordinal) && AccessEntry.Field(line, "worker") is { Length: > 1 };

    private static bool IsOf(string line, Client client) =>
        AccessEntry.Field(line, "target").StartsWith(client.Host + ":", StringComparison.Ordinal);

    /// <summary>Waits until HAProxy shows the server like this, whatever its health check has come to ("DRAIN 1/2").</summary>
    private async Task BecomesAsync(string server, string status, CancellationToken token)
    {
        while ((await ColumnAsync(server, "status", token)).Split(' ')[0] != status)
            await Task.Delay(50, token);
    }

    private async Task<string> ColumnAsync(string server, string column, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        while (true)
        {
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Stats), token);
                break;
            }
            catch (SocketException)
            {
                // It has just been started.
                await Task.Delay(50, token);
            }
        }

        await socket.SendAsync("show stat\n"u8.ToArray(), token);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        using var reader = new StreamReader(stream);
        string[] lines = (await reader.ReadToEndAsync(token)).Split('\n');
        int at = Array.IndexOf(lines[0].TrimStart('#', ' ').Split(','), column);
        return lines.Single(line => line.StartsWith($"gateways,{server},", StringComparison.Ordinal)).Split(',')[at];
    }

    /// <summary>Seconds since 1970, as the clients' program counts them.</summary>
    private static double Now() => (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;

    /// <param name="User">Of SOCKS; empty: none.</param>
    private sealed record Client(string Address, string Host, string User);
}
