using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Testnet;

/// <summary>What a proxy is told that stands in front of a test network.</summary>
internal static class TestNetworkConf
{
    /// <summary>
    /// Points a proxy's options at a network that is laid out, whether it runs yet or not: workers, canary and route. Its workers take
    /// the place of those that were configured; it has no onion canary, because the address is known only when the network runs.
    /// </summary>
    public static void ApplyTo(TorBalancerOptions options, TestNetwork network)
    {
        // Nothing else can be reached from in there.
        options.Health.Canary = [network.OriginUrl];
        options.Health.OnionCanary = "";
        options.Route.Rules.Add(Route);
        options.Workers.Clear();
        foreach (TestNode worker in network.Workers)
        {
            options.Workers.Add(new WorkerOptions
            {
                Name = worker.Name,
                Address = IPAddress.Loopback,
                SocksEndPoint = new IPEndPoint(IPAddress.Loopback, worker.SocksPort),
                ControlEndPoint = new UnixDomainSocketEndPoint(worker.ControlPath),
                ControlCookie = worker.CookiePath,
            });
        }
    }

    /// <summary>
    /// The route of all that the network's exits reach by address: loopback, and nothing else. Without such a rule private targets are
    /// rejected before a worker is asked.
    /// </summary>
    public static RuleOptions Route { get; } = new()
    {
        Name = "testnet",
        Networks = { IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("::1/128") },
        Route = RuleRoute.Socks,
    };

    /// <summary>Writes a torbalancer.conf whose workers are those of a running network.</summary>
    public static string Render(TestNetwork network)
    {
        var text = new StringBuilder();
        text.Append("; The workers of a private Tor network on loopback. Start the proxy in front of them with:\n");
        text.Append("; torbalancer run --config <this file>\n\n");
        text.Append("[Health]\n");
        text.Append(CultureInfo.InvariantCulture, $"Canary = {network.OriginUrl}\n");
        text.Append(CultureInfo.InvariantCulture, $"OnionCanary = http://{network.OnionAddress}/\n");
        text.Append("\n; Private addresses reach no worker unless a rule names them; here they are all that there is.\n");
        text.Append(CultureInfo.InvariantCulture, $"[Rule:{Route.Name}]\nNetwork = {string.Join(", ", Route.Networks)}\nRoute = socks\n");
        foreach (TestNode worker in network.Workers)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n[Worker:{worker.Name}]\n");
            text.Append("Address = 127.0.0.1\n");
            text.Append(CultureInfo.InvariantCulture, $"SocksPort = {worker.SocksPort}\n");
            text.Append(CultureInfo.InvariantCulture, $"ControlPort = unix:{worker.ControlPath}\n");
            text.Append(CultureInfo.InvariantCulture, $"ControlCookie = {worker.CookiePath}\n");
        }

        return text.ToString();
    }
}
