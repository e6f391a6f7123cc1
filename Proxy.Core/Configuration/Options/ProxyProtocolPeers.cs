using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>[Listener:name] ProxyProtocol: peers whose connections begin with a header of the PROXY protocol.</summary>
/// <param name="Unix">Those of a unix socket.</param>
/// <param name="Networks">Those that connect from these networks.</param>
public sealed record ProxyProtocolPeers(bool Unix, IReadOnlyList<IPNetwork> Networks)
{
    /// <summary>True when this peer is one of them.</summary>
    /// <param name="peer">Its address; null: it came by a unix socket.</param>
    public bool Contains(IPAddress? peer)
    {
        if (peer is null)
            return Unix;
        foreach (var network in Networks)
        {
            if (network.Contains(peer))
                return true;
        }

        return false;
    }
}
