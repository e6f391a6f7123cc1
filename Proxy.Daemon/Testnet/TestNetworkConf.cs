using System.Globalization;
using System.Text;
using TorBalancer.Daemon.Testnet.Nodes;

namespace TorBalancer.Daemon.Testnet;

/// <summary>Writes a torbalancer.conf whose workers are those of a running test network.</summary>
internal static class TestNetworkConf
{
    public static string Render(TestNetwork network)
    {
        var text = new StringBuilder();
        text.Append("; The workers of a private Tor network on loopback. Start the proxy in front of them with:\n");
        text.Append("; torbalancer run --config <this file>\n\n");
        text.Append("[Health]\n");
        text.Append(CultureInfo.InvariantCulture, $"Canary = http://{TestNetwork.OriginName}:{network.OriginPort}/\n");
        text.Append(CultureInfo.InvariantCulture, $"OnionCanary = http://{network.OnionAddress}/\n");
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
