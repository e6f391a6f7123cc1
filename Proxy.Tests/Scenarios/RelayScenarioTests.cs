using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// Circuits and exits of a real tor, watched over its control port. What happens when relays die: Resilience/RelayLossTests.
/// </summary>
[NonParallelizable] // It changes what a worker excludes.
public sealed class RelayScenarioTests
{
    private const string Worker = "worker-03";

    private TestNetwork _network = null!;

    private TestNode Node => _network.Node(Worker);

    [OneTimeSetUp]
    public async Task StartAsync() => _network = await SharedTestNetwork.GetAsync();

    [Test, CancelAfter(90_000)]
    public async Task FindExit_agrees_with_what_tor_says(CancellationToken token)
    {
        await using var watch = await WatchAsync(new BlacklistOptions(), token);
        await using var control = await WorkerControl.ConnectAsync(Node, token);
        foreach (int i in Enumerable.Range(0, 6))
        {
            using var stream = await OpenAsync($"join{i}.test", Password(i), token);
            CircuitExit? byPort = null;
            await UntilAsync(() => (byPort = watch.FindExit(Worker, Password(i), LocalPort(stream), null)) is not null, token);
            var byToken = watch.FindExit(Worker, Password(i), null, $"join{i}.test:{_network.EchoPort}");
            var circuit = (await control.GetInfoLinesAsync("circuit-status", token))
                .Select(CircuitInfo.TryParse)
                .Single(info => info?.Id == byPort!.CircuitId)!;

            Assert.That(byPort!.Exit, Is.EqualTo(circuit.Path[^1]));
            Assert.That(byPort.Path, Is.EqualTo(circuit.Path));
            Assert.That(byPort.ConfluxId, Is.EqualTo(circuit.ConfluxId));
            Assert.That(circuit.SocksPassword, Is.EqualTo(Password(i)));
            Assert.That(_network.Exits.Select(static exit => exit.Fingerprint), Does.Contain(byPort.Exit.Fingerprint));
            Assert.That(byToken?.Exit, Is.Null.Or.EqualTo(byPort.Exit));
        }

        Assert.That(
            watch.FactsOf(Worker),
            Is.Not.Null.And.Matches<WorkerTorFacts>(
                static facts => facts is { IsConnected: true, IsNetworkLive: true, Bootstrap.IsDone: true }));
    }

    [Test, CancelAfter(120_000)]
    public async Task Traffic_flows_with_all_exits_listed(CancellationToken token)
    {
        await using var watch = await WatchAsync(new BlacklistOptions(), token);
        await using var control = await WorkerControl.ConnectAsync(Node, token);

        // The bounds never let it come to this, so they are told of a network with a thousand more.
        var consensus = ExitConsensus.Parse(
            await control.GetInfoAsync("ns/all", token) + string.Concat(Enumerable.Range(1, 1000).Select(Relay)));
        var watcher = watch.Find(Worker)!;
        foreach (var exit in _network.Exits)
            Assert.That(
                watcher.Blacklist.TryAdd(new RelayName(exit.Fingerprint, exit.Name), default, consensus, out string? refused), refused);
        watcher.Nudge();

        // All three; or none any more, when tor wanted a circuit of its own in that moment and found no path.
        await UntilAsync(() => watch.Blacklist.All(static entry => entry.IsInForce), token);
        if (watch.Blacklist.Count > 0)
            Assert.That((await ExcludedAsync(control, token)).Split(','), Has.Length.EqualTo(3).Or.EqualTo(new[] { "" }));

        using (var stream = await OpenAsync("all.test", Password(400), token))
            Assert.That(await ExitOfAsync(watch, stream, Password(400), token), Is.Not.Empty);

        Assert.That(watch.Blacklist, Is.Empty);
        Assert.That(await ExcludedAsync(control, token), Is.Empty);
    }

    private static string Relay(int number)
    {
        byte[] identity = Convert.FromHexString(number.ToString("X40", System.Globalization.CultureInfo.InvariantCulture));
        return $"r x{number} {Convert.ToBase64String(identity).TrimEnd('=')} d\ns Exit Running\nw Bandwidth=1000000\n";
    }

    private static string Password(int number) => number.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);

    private async Task<RelayWatchService> WatchAsync(BlacklistOptions options, CancellationToken token)
    {
        var pool = new WorkerPool();
        pool.Apply([new WorkerModel(
            Worker, new IPEndPoint(IPAddress.Loopback, Node.SocksPort),
            ControlEndPoint: new UnixDomainSocketEndPoint(Node.ControlPath)) { ControlCookie = Node.CookiePath }]);
        var timing = new RelayWatchTiming { MinChangeInterval = TimeSpan.FromSeconds(3) };
        var service = new RelayWatchService(
            pool, options, static () => 0, TimeProvider.System, new Logger<RelayWatchService>(new ListLogger()), timing);
        service.Start();
        await UntilAsync(() => service.FactsOf(Worker) is { IsConnected: true }, token);
        return service;
    }

    /// <summary>A connection to the echo server through the worker. A request that tor gives up is made again.</summary>
    private async Task<NetworkStream> OpenAsync(string host, string password, CancellationToken token)
    {
        while (true)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, Node.SocksPort, token);
            var stream = new NetworkStream(socket, ownsSocket: true);
            byte[] reply = await SocksClient.RequestAsync(stream, host, _network.EchoPort, token, "<torS0X>0", password);
            if (reply[1] == 0)
                return stream;
            TestContext.Progress.WriteLine($"{host}: tor answered {reply[1]:X2}");
            await stream.DisposeAsync();
        }
    }

    private static async Task<string> ExitOfAsync(RelayWatchService watch, NetworkStream stream, string password, CancellationToken token)
    {
        CircuitExit? exit = null;
        await UntilAsync(() => (exit = watch.FindExit(Worker, password, LocalPort(stream), null)) is not null, token);
        return exit!.Exit.Fingerprint;
    }

    private static async Task<string> ExcludedAsync(ControlConnection control, CancellationToken token) =>
        (await control.GetConfAsync([ExcludeNodesApplier.Option], token))[0].Value ?? "";

    private static int LocalPort(NetworkStream stream) => ((IPEndPoint)stream.Socket.LocalEndPoint!).Port;

    private static async Task UntilAsync(Func<bool> condition, CancellationToken token)
    {
        while (!condition())
            await Task.Delay(20, token);
    }
}
