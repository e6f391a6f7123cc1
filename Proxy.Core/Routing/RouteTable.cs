using System.Net;
using TorBalancer.Configuration;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Routing;

/// <summary>
/// Decides by the target alone, before any worker is asked. An onion address always goes to a SocksPort, and a malformed
/// one goes nowhere: its checksum tells at once what tor would take a circuit to find out. Nor does a number that only some
/// programs read as an address, because Network could not hold for it. For the rest the first rule
/// that fits decides, else [Route] Clearnet.
/// </summary>
internal sealed class RouteTable(RouteOptions options)
{
    private readonly Rule[] _rules = [.. options.Rules.Select(static rule => new Rule(rule))];

    public RouteDecision Decide(ProxyRequest request)
    {
        var target = request.Target;
        if (target.IsOnion && !OnionAddress.IsValid(target.Host))
            return Reject(FailureCause.OnionAddressInvalid, "not a version 3 onion address", null);

        // No such name exists, and the resolver behind some exit may read an address in it that Network would have rejected.
        if (target.IsNumber)
            return Reject(FailureCause.RouteRejected, "a name that ends in a number; an IPv4 address is written as four decimal numbers", null);

        // RESOLVE names no port, and what a link is for is carrying streams.
        bool isStream = request.Command == ProxyCommand.Connect, mayLink = isStream && !target.IsOnion;
        foreach (var rule in _rules)
        {
            if (!rule.Fits(target, isStream))
                continue;
            if (rule.Route == RuleRoute.Reject)
                return Reject(FailureCause.RouteRejected, $"[Rule:{rule.Name}] rejects this target", rule.Name);
            return new RouteDecision(mayLink ? ToRoute(rule.Route) : ClearnetRoute.Socks, default, rule.Name);
        }

        return mayLink ? new RouteDecision(options.Clearnet, default) : RouteDecision.Socks;
    }

    private static RouteDecision Reject(FailureCause cause, string detail, string? rule) => new(ClearnetRoute.Socks, new ProxyError(cause, detail), rule);

    private static ClearnetRoute ToRoute(RuleRoute route) => route switch
    {
        RuleRoute.Wireguard => ClearnetRoute.Wireguard,
        RuleRoute.Socks => ClearnetRoute.Socks,
        _ => ClearnetRoute.Auto,
    };

    /// <summary>One [Rule:name]; all of its conditions must hold.</summary>
    private sealed class Rule(RuleOptions options)
    {
        private readonly string[] _domains = [.. options.Domains];
        private readonly PortRange[] _ports = [.. options.Ports];
        private readonly IPNetwork[] _networks = [.. options.Networks];

        public string Name => options.Name;

        public RuleRoute Route { get; } = options.Route ?? RuleRoute.Auto;

        public bool Fits(HostEndPoint target, bool hasPort) =>
            (_domains.Length == 0 || FitsDomain(target))
            && (_networks.Length == 0 || FitsNetwork(target))
            && (_ports.Length == 0 || (hasPort && FitsPort(target.Port)));

        private bool FitsDomain(HostEndPoint target)
        {
            if (target.Address is not null)
                return false;
            var host = target.Host.AsSpan().TrimEnd('.');
            foreach (string domain in _domains)
            {
                if (host.EndsWith(domain, StringComparison.OrdinalIgnoreCase)
                    && (host.Length == domain.Length || host[host.Length - domain.Length - 1] == '.'))
                    return true;
            }

            return false;
        }

        private bool FitsNetwork(HostEndPoint target)
        {
            if (target.Address is not { } address)
                return false;
            foreach (var network in _networks)
            {
                if (network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address))
                    return true;
            }

            return false;
        }

        private bool FitsPort(int port)
        {
            foreach (var range in _ports)
            {
                if (range.Contains(port))
                    return true;
            }

            return false;
        }
    }
}
