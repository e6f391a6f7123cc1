using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Configuration;

/// <summary>Which listeners on [::] take IPv4 clients as well.</summary>
public static class BothFamilies
{
    /// <summary>
    /// True for [::], whatever net.ipv6.bindv6only says, unless another listener or the admin API has its port on an IPv4 address:
    /// the kernel gives a port of IPv4 to one socket only, and who names both families means both.
    /// </summary>
    public static bool Serves(TorBalancerOptions options, ListenerOptions listener)
    {
        if (listener.Address is not IPEndPoint { Port: var port } address || !address.Address.Equals(IPAddress.IPv6Any))
            return false;
        var others = options.Listeners.Select(static other => (Address: other.Address as IPEndPoint, Last: other.LastPort))
            .Append((Address: options.Admin.Address, Last: 0));
        int last = Math.Max(port, listener.LastPort);
        return port == 0 || !others.Any(
            other => other.Address is { AddressFamily: AddressFamily.InterNetwork } its
                && its.Port <= last && Math.Max(its.Port, other.Last) >= port);
    }
}
