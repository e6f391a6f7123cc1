using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>The network of the run, a proxy in front of its workers, and a web server behind its exits.</summary>
public abstract class ScenarioFixture
{
    private protected TestNetwork Network { get; private set; } = null!;

    private protected ProxyUnderTest Proxy { get; private set; } = null!;

    private protected WebOrigin Web { get; private set; } = null!;

    /// <summary>host:port of the proxy.</summary>
    private protected string Address => Proxy.Address.ToString();

    /// <summary>The network's origin by name; the exit that carries the request chooses which of its addresses that is.</summary>
    private protected string OriginByName => $"http://{TestNetwork.OriginName}:{Network.OriginPort}";

    private protected string OriginByAddress => $"http://127.0.0.1:{Network.OriginPort}";

    private protected string OriginByOnion => $"http://{Network.OnionAddress}";

    private protected string WebByName => $"http://{WebOrigin.Name}:{Web.Port}";

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        Network = await SharedTestNetwork.GetAsync();
        Web = await WebOrigin.StartAsync(Network);
        Proxy = await StartProxyAsync();
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (Proxy is not null)
            await Proxy.DisposeAsync();
        if (Web is not null)
            await Web.DisposeAsync();

        // Whatever clients and targets do, it is never a fault of ours.
        Assert.That(Proxy?.Log.Entries.Where(static entry => entry.Level >= LogLevel.Error) ?? [], Is.Empty);
    }

    /// <summary>A proxy in front of some of the network's workers, by name; of none: all.</summary>
    private protected Task<ProxyUnderTest> StartProxyAsync(Action<TorBalancerOptions>? configure = null, params string[] workers)
    {
        var nodes = Network.Workers.Where(node => workers.Length == 0 || workers.Contains(node.Name));
        return ProxyUnderTest.StartAsync(
            nodes.Select(static node => (EndPoint)new IPEndPoint(IPAddress.Loopback, node.SocksPort)),
            options =>
            {
                options.Route.Rules.Add(TestNetworkConf.Route);
                configure?.Invoke(options);
            });
    }

    private protected string[] ExitNames => [.. Network.Exits.Select(static exit => exit.Name + "\n")];

    private protected static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
