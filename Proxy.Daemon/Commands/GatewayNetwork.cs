using System.Globalization;
using System.Net;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Daemon.Commands;

/// <summary>A network that this machine is the gateway of.</summary>
/// <param name="Interface">What it is behind.</param>
/// <param name="ProxyPort">Where its programs connect that know a proxy; null: they cannot.</param>
internal sealed record GatewayNetwork(string Interface, int? ProxyPort)
{
    /// <summary>Where the rules turn TCP, and DNS.</summary>
    public const int TransparentPort = 1082, DnsPort = 1053;

    // IFNAMSIZ of netdevice(7), without the NUL.
    private const int LongestName = 15;

    /// <summary>The network, or what is wrong with the interface's name and what is allowed.</summary>
    /// <param name="listen">Where clients connect that know a proxy.</param>
    public static (GatewayNetwork? Network, string Problem) Create(string device, IPEndPoint listen)
    {
        string shown = $"--gateway {ConfText.Printable(device)}";
        if (device == "lo")
            return (null, $"{shown} is this machine's loopback; allowed is the interface that the network is behind, such as eth1");
        if (!IsName(device))
        {
            return (null, string.Create(
                CultureInfo.InvariantCulture,
                $"{shown} is neither an IP address nor an interface; an interface has up to {LongestName} letters, digits, '-', '_' and "
                    + $"'.'"));
        }

        if (listen.Port is TransparentPort or DnsPort)
        {
            return (null, string.Create(
                CultureInfo.InvariantCulture,
                $"--listen {listen} and {shown} cannot go together: that is where the network's {Use(listen.Port)} is turned to; other "
                    + $"ports than {DnsPort} and {TransparentPort} are free"));
        }

        return (new GatewayNetwork(device, IPAddress.IsLoopback(listen.Address) ? null : listen.Port), "");
    }

    private static string Use(int port) => port == DnsPort ? "DNS" : "TCP";

    /// <summary>What the kernel takes, less what nft(8), sysctl(8) or a shell read in another way.</summary>
    private static bool IsName(string text) =>
        text.Length is > 0 and <= LongestName && text[0] is not ('-' or '.')
            && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
