using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Routing;

/// <summary>
/// Decides by the target alone, before any worker is asked. An onion address always goes to a SocksPort, and a malformed
/// one goes nowhere: its checksum tells at once what tor would take a circuit to find out.
/// </summary>
internal static class RouteTable
{
    public static RouteDecision Decide(ProxyRequest request) =>
        request.Target.IsOnion && !OnionAddress.IsValid(request.Target.Host)
            ? RouteDecision.Reject(FailureCause.OnionAddressInvalid, "not a version 3 onion address")
            : RouteDecision.Socks;
}
