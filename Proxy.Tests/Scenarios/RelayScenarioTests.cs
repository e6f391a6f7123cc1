using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration;
using TorBalancer.Daemon.Testnet;
using TorBalancer.Daemon.Testnet.Nodes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Circuits and exits of a real tor, watched over its control port. Not beside others: exits are killed here.</summary>
[NonParallelizable]
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
            var circuit = (await control.GetInfoLinesAsync("circuit-status", token)).Select(CircuitInfo.TryParse).Single(info => info?.Id == byPort!.CircuitId)!;

            Assert.That(byPort!.Exit, Is.EqualTo(circuit.Path[^1]));
            Assert.That(byPort.Path, Is.EqualTo(circuit.Path));
            Assert.That(byPort.ConfluxId, Is.EqualTo(circuit.ConfluxId));
            Assert.That(circuit.SocksPassword, Is.EqualTo(Password(i)));
            Assert.That(_network.Exits.Select(static exit => exit.Fingerprint), Does.Contain(byPort.Exit.Fingerprint));
            Assert.That(byToken?.Exit, Is.Null.Or.EqualTo(byPort.Exit));
        }

        Assert.That(watch.FactsOf(Worker), Is.Not.Null.And.Matches<WorkerTorFacts>(static facts => facts is { IsConnected: true, IsNetworkLive: true, Bootstrap.IsDone: true }));
    }

    [Test, CancelAfter(240_000)]
    public async Task Killed_exit_is_excluded_for_its_time_and_used_again(CancellationToken token)
    {
        var options = new BlacklistOptions { MinRemainingExits = 2, Duration = TimeSpan.FromSeconds(20) };
        await using var watch = await WatchAsync(options, token);
        await using var control = await WorkerControl.ConnectAsync(Node, token);
        var open = new List<NetworkStream>();
        string? victim = null;
        try
        {
            // Three tunnels to three hosts through one exit, each on a circuit of its own.
            var byExit = new Dictionary<string, int>();
            for (int i = 100; victim is null; i++)
            {
                open.Add(await OpenAsync($"host{i}.test", Password(i), token));
                string exit = await ExitOfAsync(watch, open[^1], Password(i), token);
                if ((byExit[exit] = byExit.GetValueOrDefault(exit) + 1) == 3)
                    victim = exit;
            }

            var node = _network.Exits.Single(exit => exit.Fingerprint == victim);
            await _network.KillAsync(node.Name);
            try
            {
                await UntilAsync(() => watch.Blacklist.Any(entry => entry.Fingerprint == victim && entry.IsInForce), token);
                Assert.That(await ExcludedAsync(control, token), Is.EqualTo("$" + victim));
                for (int i = 200; i < 208; i++)
                {
                    using var stream = await OpenAsync($"host{i}.test", Password(i), token);
                    Assert.That(await ExitOfAsync(watch, stream, Password(i), token), Is.Not.EqualTo(victim));
                }
            }
            finally
            {
                await _network.RestartAsync(node.Name, CancellationToken.None);
            }

            await UntilAsync(() => watch.Blacklist.Count == 0, token);
            while ((await ExcludedAsync(control, token)).Length > 0)
                await Task.Delay(100, token);
            string again = "";
            for (int i = 300; again != victim; i++)
            {
                // Whether authorities have dropped it meanwhile is up to them: it comes back with their next vote.
                using var stream = await OpenAsync($"host{i}.test", Password(i), token);
                again = await ExitOfAsync(watch, stream, Password(i), token);
            }
        }
        finally
        {
            foreach (var stream in open)
                await stream.DisposeAsync();
        }
    }

    [Test, CancelAfter(120_000)]
    public async Task Traffic_flows_with_all_exits_listed(CancellationToken token)
    {
        await using var watch = await WatchAsync(new BlacklistOptions(), token);
        await using var control = await WorkerControl.ConnectAsync(Node, token);

        // The bounds never let it come to this, so they are told of a network with a thousand more.
        var consensus = ExitConsensus.Parse(await control.GetInfoAsync("ns/all", token) + string.Concat(Enumerable.Range(1, 1000).Select(Relay)));
        var watcher = watch.Find(Worker)!;
        foreach (var exit in _network.Exits)
            Assert.That(watcher.Blacklist.TryAdd(new RelayName(exit.Fingerprint, exit.Name), default, consensus, out string? refused), refused);
        watcher.Nudge();
        await UntilAsync(() => watch.Blacklist.Count(static entry => entry.IsInForce) == 3, token);
        Assert.That((await ExcludedAsync(control, token)).Split(','), Has.Length.EqualTo(3));

        using (var stream = await OpenAsync("all.test", Password(400), token))
            Assert.That(await ExitOfAsync(watch, stream, Password(400), token), Is.Not.Empty);

        Assert.That(watch.Blacklist, Is.Empty);
        Assert.That(await ExcludedAsync(control, token), Is.Empty);
    }

    private static string Relay(int number) =>
        $"r x{number} {Convert.ToBase64String(Convert.FromHexString(number.ToString("X40", System.Globalization.CultureInfo.InvariantCulture))).TrimEnd('=')} d\n"
        + "s Exit Running\nw Bandwidth=1000000\n";

    private static string Password(int number) => number.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);

    private async Task<RelayWatchService> WatchAsync(BlacklistOptions options, CancellationToken token)
    {
        var pool = new WorkerPool();
        pool.Apply([new WorkerModel(
            Worker, new IPEndPoint(IPAddress.Loopback, Node.SocksPort),
            ControlEndPoint: new UnixDomainSocketEndPoint(Node.ControlPath), ControlCookie: Node.CookiePath)]);
        var timing = new RelayWatchTiming { MinChangeInterval = TimeSpan.FromSeconds(3) };
        var service = new RelayWatchService(pool, options, static () => 0, TimeProvider.System, new Logger<RelayWatchService>(new ListLogger()), timing);
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
