using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Rules;

/// <summary>What the rules and the default route can do, and what never happens.</summary>
internal sealed class RouteRules(TorBalancerOptions options, GivenValues given, RuleReport report)
{
    /// <summary>Rules that each later one is compared with: the time for all of them stays bounded.</summary>
    private const int MostCompared = 1000;

    private static readonly string[] RuleKeys = ["Domain", "Port", "Network", "Route"];
    private static readonly string[] LinkKeys =
        ["Address", "SocksPort", "ControlPort", "SshPort", "WgInterface", "WgHostAddress", "WgWorkerAddress"];

    public void Check()
    {
        foreach (var rule in options.Route.Rules)
            CheckRule(rule, $"Rule:{rule.Name}");
        CheckOrder(options.Route.Rules);

        bool wantsLink = options.Route.Clearnet == ClearnetRoute.Wireguard;
        bool ruleWantsLink = options.Route.Rules.Any(static rule => rule.Route == RuleRoute.Wireguard);
        bool anyLink = options.Workers.Any(worker =>
            worker.WgInterface.Length > 0 || given.AnyFailed($"Worker:{worker.Name}", "WgInterface"));
        if ((wantsLink || ruleWantsLink) && !anyLink)
        {
            string what = wantsLink ? "Clearnet = wireguard" : "a rule says wireguard";
            report.Warning("Route", "Clearnet", $"{what}, but no [Worker:name] has a WgInterface: such connections will be refused");
        }

        var isolation = options.Balancing.Isolation;
        if (wantsLink && options.Route.Isolated == IsolatedRoute.Socks && isolation is not (IsolationMode.Client or IsolationMode.None))
        {
            report.Warning("Route", "Clearnet",
                $"[Balancing] Isolation = {isolation.ToString().ToLowerInvariant()} cannot be kept on a WireGuard link, "
                + "so connections go by SOCKS; Isolated = as_routed would put it the other way round");
        }

        foreach (var worker in options.Workers)
            CheckWayAround(worker, $"Worker:{worker.Name}");

        if (options.Route is not { Clearnet: ClearnetRoute.Socks, Rules.Count: 0 })
            return;
        foreach (var worker in options.Workers.Where(static worker => worker.WgInterface.Length > 0))
            report.Warning($"Worker:{worker.Name}", "WgInterface", "WgInterface is not used for connections: [Route] Clearnet = socks");
    }

    /// <summary>
    /// What goes to the worker's own ports is bound to the link at WgWorkerAddress only. Loopback and unix sockets do not leave
    /// this machine.
    /// </summary>
    private void CheckWayAround(WorkerOptions worker, string section)
    {
        if (worker.WgInterface.Length == 0 || worker.Address is not { } address || IPAddress.IsLoopback(address)
            || address.Equals(worker.WgWorkerAddress) || given.AnyFailed(section, LinkKeys))
            return;
        (string Key, bool IsThere)[] keys =
        [
            ("SocksPort", worker.SocksEndPoint is IPEndPoint),
            ("ControlPort", worker.ControlEndPoint is IPEndPoint),
            ("SshPort", worker.SshPort is not null),
        ];
        string ports = string.Join(", ", keys.Where(static one => one.IsThere).Select(static one => one.Key));
        if (ports.Length == 0)
            return;
        string known = worker.WgWorkerAddress is { } bound ? $"WgWorkerAddress, which is {bound}" : "WgWorkerAddress, which is not given";
        report.Warning(section, "Address",
            $"{ports} at {address} will be reached as the system routes, not bound to {worker.WgInterface}: "
            + $"only what goes to {known}, is bound to the link");
    }

    private void CheckRule(RuleOptions rule, string section)
    {
        if (given.AnyFailed(section, RuleKeys) || given.HasUnknown(section))
            return;
        if (rule.Route is null)
            report.Error(section, "Route", $"needs a Route: auto, socks, wireguard or reject");
        if (rule.Domains.Count == 0 && rule.Ports.Count == 0 && rule.Networks.Count == 0)
            report.Error(section, "Route", $"has no condition and would fit every target; that is [Route] Clearnet");
        if (rule.Domains.Count > 0 && rule.Networks.Count > 0)
            report.Error(section, "Network", "Network and Domain together fit nothing: a target is a name or an address");
        if (rule.Route == RuleRoute.Wireguard
            && rule.Domains.Any(static domain => domain == "onion" || domain.EndsWith(".onion", StringComparison.Ordinal)))
            report.Warning(section, "Route", "onion services always go by a SocksPort, whatever a rule says; only reject holds for them");
        else if (rule.Domains.Count > 0 && rule.Domains.All(static domain => WhyNever(domain) is not null))
        {
            report.Warning(section, "Domain",
                $"never decides: {WhyNever(rule.Domains[0])} is refused before any rule"
                + $"{(HostName.EndsInNumber(rule.Domains[0]) ? "; an address goes into Network" : "")}");
        }
    }

    /// <summary>What no target below this domain gets past; null: nothing.</summary>
    private static string? WhyNever(string domain) =>
        HostName.EndsInNumber(domain) ? "a name that ends in a number"
        : HostName.IsWithin(domain, "exit") ? "tor's .exit notation"
        : OnionAddress.IsOnionName(domain) && domain != "onion" && !OnionAddress.IsValid(domain) ? "what is no version 3 onion address"
        : null;

    /// <summary>The first rule that fits decides: one behind another that fits all the same targets never does.</summary>
    private void CheckOrder(IList<RuleOptions> rules)
    {
        for (int later = 1; later < rules.Count; later++)
        {
            string section = $"Rule:{rules[later].Name}";
            if (rules.Take(Math.Min(later, MostCompared)).FirstOrDefault(earlier => Covers(earlier, rules[later])) is { } first
                && !given.AnyFailed(section, RuleKeys) && !given.AnyFailed($"Rule:{first.Name}", RuleKeys))
                report.Warning(section, "Route", $"never decides: [Rule:{first.Name}] stands before it and fits every target of it");
        }
    }

    /// <summary>True when every target that <paramref name="narrow"/> fits is one of <paramref name="wide"/> as well.</summary>
    private static bool Covers(RuleOptions wide, RuleOptions narrow) =>
        (wide.Domains.Count > 0 || wide.Ports.Count > 0 || wide.Networks.Count > 0)
        && Each(wide.Domains, narrow.Domains, static (all, one) => HostName.IsWithin(one, all))
        && Each(wide.Ports, narrow.Ports, static (all, one) => all.First <= one.First && one.Last <= all.Last)
        && Each(wide.Networks, narrow.Networks, static (all, one) => all.PrefixLength <= one.PrefixLength && all.Contains(one.BaseAddress));

    /// <summary>No condition fits everything.</summary>
    private static bool Each<T>(IList<T> wide, IList<T> narrow, Func<T, T, bool> covers) =>
        wide.Count == 0 || (narrow.Count > 0 && narrow.All(one => wide.Any(all => covers(all, one))));
}
