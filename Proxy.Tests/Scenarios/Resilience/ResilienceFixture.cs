using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Health.Alerts;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>Proxies as the daemon runs them, probes and watch included, in front of the network's workers.</summary>
public abstract class ResilienceFixture
{
    /// <summary>For what has no promised time and must come all the same.</summary>
    private protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private protected TestNetwork Network { get; private set; } = null!;

    /// <summary>The workers of the network, with their control ports.</summary>
    private protected IReadOnlyList<WorkerModel> AllWorkers => [.. Network.Workers.Select(ModelOf)];

    [OneTimeSetUp]
    public async Task StartNetworkAsync() => Network = await SharedTestNetwork.GetAsync();

    private protected static WorkerModel ModelOf(TestNode node) => new(
        node.Name, new IPEndPoint(IPAddress.Loopback, node.SocksPort),
        ControlEndPoint: new UnixDomainSocketEndPoint(node.ControlPath))
    { ControlCookie = node.CookiePath };

    /// <summary>A proxy whose workers are probed.</summary>
    private protected async Task<ProxyUnderTest> StartProxyAsync(
        IReadOnlyList<WorkerModel> workers, Action<TorBalancerOptions>? configure = null, RelayWatchTiming? relayTiming = null)
    {
        var proxy = await ProxyUnderTest.StartAsync(
            workers,
            options =>
            {
                options.Route.Rules.Add(TestNetworkConf.Route);
                options.Health.Enabled = true;
                options.Health.Canary = [$"http://{TestNetwork.OriginName}:{Network.OriginPort}/"];
                configure?.Invoke(options);
            },
            relayTiming: relayTiming);
        proxy.StartProber();
        if (relayTiming is not null)
            proxy.Relays.Start();
        return proxy;
    }

    /// <summary>Asks until the answer is yes. What takes longer than the bound fails the test with the reason.</summary>
    private protected static async Task UntilAsync(
        Func<bool> condition, TimeSpan bound, string what, CancellationToken token, Func<string>? seen = null)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(started) > bound)
                Assert.Fail($"not within {bound.TotalSeconds:0.#} s: {what}\n{seen?.Invoke()}");
            await Task.Delay(20, token);
        }
    }

    private protected static Task HealthyAsync(ProxyUnderTest proxy, string worker, TimeSpan bound, CancellationToken token) => UntilAsync(
        () => proxy.Pool.Find(worker)!.Operational == WorkerOperationalState.Healthy, bound, $"{worker} healthy", token, () => Told(proxy));

    /// <summary>True when it was declared dead, however short.</summary>
    private protected static bool HasDied(ProxyUnderTest proxy, string? worker = null) =>
        proxy.HealthEvents.All.Any(
            one => one.Kind == HealthEventKind.StateChanged && one.To == "dead" && (worker is null || one.Worker == worker));

    /// <summary>All that health has said, for messages.</summary>
    private protected static string Told(ProxyUnderTest proxy) => string.Join('\n', proxy.HealthEvents.All.Select(
        static one => $"{one.Time:HH:mm:ss.fff} {one.Kind} {one.Worker} {one.From} > {one.To}: {one.Reason}"));

    /// <summary>A tunnel to a host below .test, by a user of that name. What it is refused fails the test.</summary>
    private protected async Task<NetworkStream> OpenAsync(
        ProxyUnderTest proxy, string user, string host, CancellationToken token, int? port = null)
    {
        var stream = await proxy.ConnectAsync();
        byte[] reply = await SocksClient.RequestAsync(stream, host, port ?? Network.EchoPort, token, user, "x");
        if (reply[1] == 0)
            return stream;
        await stream.DisposeAsync();
        throw new AssertionException($"{host} for {user}: SOCKS {reply[1]:X2}\n{Told(proxy)}");
    }

    private protected static async Task AssertEchoesAsync(NetworkStream stream, CancellationToken token)
    {
        await stream.WriteAsync("alive"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(stream, 5, token), Is.EqualTo("alive"u8.ToArray()));
    }
}
