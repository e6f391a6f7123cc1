using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Routing;

/// <summary>
/// Decides by the target alone, before any worker is asked. An onion address always goes to a SocksPort, and a malformed
/// one goes nowhere: its checksum tells at once what tor would take a circuit to find out. Nor does a number that only some
/// programs read as an address, because Network could not hold for it, nor tor's .exit notation, which tor refuses, nor what may not be
/// asked for (DenyTargets, AllowTargets). For the rest the first rule that fits decides, else [Route] Clearnet; but a private target goes
/// somewhere only by a rule that is about private ones.
/// </summary>
internal sealed class RouteTable(Live<RouteOptions> options)
{
    private readonly Live<Table> _table = options.Select(static route => new Table(
        route.Clearnet, [.. route.Rules.Select(static rule => new Rule(rule))],
        TargetRules.Of("Route", route.AllowTargets, route.DenyTargets)));

    /// <param name="own">What the asker's listener lets it ask for; null: anything.</param>
    public RouteDecision Decide(ProxyRequest request, TargetRules? own = null)
    {
        var target = request.Target;
        if (target.IsOnion && !OnionAddress.IsValid(target.Host))
            return Reject(FailureCause.OnionAddressInvalid, "not a version 3 onion address", null);

        // No such name exists, and the resolver behind some exit may read an address in it that Network would have rejected.
        if (target.IsNumber)
            return Reject(
                FailureCause.RouteRejected, "a name that ends in a number; an IPv4 address is written as four decimal numbers", null);

        if (HostName.IsWithin(target.Host, "exit") && target.Address is null)
            return Reject(FailureCause.RouteRejected, "tor's .exit notation, which tor itself refuses", null);

        // RESOLVE names no port, and what a link is for is carrying streams.
        bool isStream = request.Command == ProxyCommand.Connect, mayLink = isStream && !target.IsOnion;
        bool isPrivate = target.IsPrivate;
        var table = _table.Value;
        if (table.Targets?.Check(target, isStream) is { IsError: true } denied)
            return new RouteDecision(ClearnetRoute.Socks, denied);
        if (own?.Check(target, isStream) is { IsError: true } deniedThere)
            return new RouteDecision(ClearnetRoute.Socks, deniedThere);
        if (request.Named is { } named && HostEndPoint.TryCreate(named.Host, target.Port, out var other))
        {
            if (table.Targets?.CheckDenied(other, isStream) is { IsError: true } deniedByName)
                return new RouteDecision(ClearnetRoute.Socks, deniedByName);
            if (own?.CheckDenied(other, isStream) is { IsError: true } deniedThereByName)
                return new RouteDecision(ClearnetRoute.Socks, deniedThereByName);
        }

        foreach (var rule in table.Rules)
        {
            if (!rule.Fits(target, request.Named, isStream))
                continue;
            if (rule.Route == RuleRoute.Reject)
                return Reject(FailureCause.RouteRejected, $"[Rule:{rule.Name}] rejects this target", rule.Name);
            if (isPrivate && !rule.IsAbout(target))
                continue;
            return new RouteDecision(mayLink ? ToRoute(rule.Route) : ClearnetRoute.Socks, default, rule.Name);
        }

        // tor would refuse it as a general failure, which looks like a broken circuit; RFC 6761, 6762 and 8375 want such names to go no
        // further.
        if (isPrivate)
            return Reject(
                FailureCause.PrivateTarget,
                "a private or local target; only a [Rule:name] whose Network or Domain is such a one sends it to a worker", null);
        return mayLink ? new RouteDecision(table.Clearnet, default) : RouteDecision.Socks;
    }

    private static RouteDecision Reject(FailureCause cause, string detail, string? rule) =>
        new(ClearnetRoute.Socks, new ProxyError(cause, detail), rule);

    private static ClearnetRoute ToRoute(RuleRoute route) => route switch
    {
        RuleRoute.Wireguard => ClearnetRoute.Wireguard,
        RuleRoute.Socks => ClearnetRoute.Socks,
        _ => ClearnetRoute.Auto,
    };

    /// <summary>What decides at one moment.</summary>
    /// <param name="Targets">What anybody may ask for; null: anything.</param>
    private sealed record Table(ClearnetRoute Clearnet, Rule[] Rules, TargetRules? Targets);

    /// <summary>One [Rule:name]; all of its conditions must hold.</summary>
    private sealed class Rule(RuleOptions options)
    {
        private readonly string[] _domains = [.. options.Domains];
        private readonly PortRange[] _ports = [.. options.Ports];
        private readonly IPNetwork[] _networks = [.. options.Networks];

        public string Name => options.Name;

        public RuleRoute Route { get; } = options.Route ?? RuleRoute.Auto;

        /// <param name="named">What the target is called by its client; null: it is not known.</param>
        public bool Fits(HostEndPoint target, HostEndPoint? named, bool hasPort) =>
            (_domains.Length == 0 || FitsDomain(target.Address is null ? target : named))
            && (_networks.Length == 0 || FitsNetwork(target))
            && (_ports.Length == 0 || (hasPort && FitsPort(target.Port)));

        /// <summary>True when what names this private target names private ones only: 10.0.0.0/8 does, 0.0.0.0/0 does not.</summary>
        public bool IsAbout(HostEndPoint target) =>
            target.Address is { } address
                ? Array.Exists(_networks, network => Contains(network, address) && PublicAddress.IsNoneIn(network))
                : Array.Exists(_domains, domain => HostName.IsWithin(target.Host, domain) && LocalName.Is(domain));

        private bool FitsDomain(HostEndPoint? name)
        {
            if (name is not { } known)
                return false;
            foreach (string domain in _domains)
            {
                if (HostName.IsWithin(known.Host, domain))
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
                if (Contains(network, address))
                    return true;
            }

            return false;
        }

        private static bool Contains(IPNetwork network, IPAddress address) =>
            network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address);

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
