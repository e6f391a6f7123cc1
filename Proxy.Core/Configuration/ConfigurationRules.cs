using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration;

/// <summary>What must hold between keys. A key whose value was already refused is not judged a second time.</summary>
internal sealed class ConfigurationRules(TorBalancerOptions options, ConfigurationReader reader)
{
    private readonly ConfigurationIssues _issues = reader.Issues;
    private readonly KeyOrigins _origins = reader.Origins;
    private static readonly string[] RuleKeys = ["Domain", "Port", "Network", "Route"];

    public void Check()
    {
        foreach (var listener in options.Listeners)
            CheckListener(listener, $"Listener:{listener.Name}");
        CheckAddresses();
        CheckTimeouts();
        CheckWorkers();
        new StartRules(options, _issues, _origins, reader.Files).Check();
        CheckRoute();
        foreach (var worker in options.Workers.Where(static worker => !worker.IsTor))
            CheckOtherWorker(worker, $"Worker:{worker.Name}");
    }

    private void CheckListener(ListenerOptions listener, string section)
    {
        bool isRemote = listener.Address is IPEndPoint ip && !IPAddress.IsLoopback(ip.Address);
        bool isGuarded = listener.Auth == ListenerAuth.Required || listener.AllowFrom.Count > 0;
        if (isRemote && !isGuarded && !_origins.AnyFailed(section, "Auth", "AllowFrom"))
        {
            Error(section, "Address", $"Address = \"{listener.Address}\" can be reached from other machines; "
                + "set Auth = required with Users, or AllowFrom = the networks that may use it, or listen on 127.0.0.1");
        }

        foreach (var network in listener.AllowFrom)
        {
            if (isRemote && network.PrefixLength == 0 && listener.Auth != ListenerAuth.Required)
                Warning(section, "AllowFrom", $"AllowFrom = {network} lets everyone use this proxy");
        }

        if (listener.AllowFrom.Count > 0 && listener.Address is IPEndPoint local && IPAddress.IsLoopback(local.Address)
            && !listener.AllowFrom.Any(static network => network.Contains(IPAddress.Loopback) || network.Contains(IPAddress.IPv6Loopback)))
            Warning(section, "AllowFrom", $"AllowFrom lets nobody in: only clients on this machine reach {local}, and they are in none of its networks");

        if (_origins.AnyFailed(section, "Auth", "Users", "UsersFile"))
            return;
        if (listener.Auth == ListenerAuth.Required && listener.Users.Count == 0 && !_origins.HasUnknown(section))
            Error(section, "Auth", "Auth = required, but there are no users; add Users = name:password or UsersFile = a file with them");
        if (listener.Auth == ListenerAuth.None && listener.Users.Count > 0)
            Warning(section, _origins.IsSet(section, "Users") ? "Users" : "UsersFile", "the users are not asked for: Auth is none");
    }

    private void CheckAddresses()
    {
        var taken = new List<(EndPoint Address, string Section, string Key)>();
        foreach (var listener in options.Listeners)
            Take(listener.Address, $"Listener:{listener.Name}", "Address");
        if (options.Admin.Address is { } admin)
            Take(admin, "Admin", "Address");
        if (options.Admin.Socket.StartsWith("unix:", StringComparison.OrdinalIgnoreCase))
            Take(new UnixDomainSocketEndPoint(options.Admin.Socket["unix:".Length..]), "Admin", "Socket");

        foreach (var worker in options.Workers)
        {
            string section = $"Worker:{worker.Name}";
            if (_origins.AnyFailed(section, "Address", "SocksPort"))
                continue;
            var clash = taken.Find(one => SameAddress(one.Address, worker.SocksEndPoint));
            if (clash.Section is not null)
                Error(section, SocksKey(section), $"{worker.SocksEndPoint} is this daemon's own [{clash.Section}] {clash.Key}, not a tor process");
        }

        void Take(EndPoint address, string section, string key)
        {
            if (_origins.AnyFailed(section, key))
                return;
            var clash = taken.Find(one => SameAddress(one.Address, address));

            // A default has no line: what the user wrote is where the mistake is seen.
            if (clash.Section is not null && !_origins.IsSet(section, key) && _origins.IsSet(clash.Section, clash.Key))
                Error(clash.Section, clash.Key, $"{clash.Key} = \"{clash.Address}\" is taken by [{section}] {key} = \"{address}\", its default");
            else if (clash.Section is not null)
                Error(section, key, $"{key} = \"{address}\" is taken by [{clash.Section}] {clash.Key} = \"{clash.Address}\"");
            taken.Add((address, section, key));
        }
    }

    private void CheckTimeouts()
    {
        var connect = options.Connect;
        if (_origins.AnyFailed("Connect", "Timeout", "AttemptTimeout", "WorkerTimeout"))
            return;

        // Who only shortens Timeout means the others too: their defaults shrink with it, only values that are given can contradict.
        if (connect.AttemptTimeout > connect.Timeout)
        {
            if (_origins.IsSet("Connect", "AttemptTimeout"))
                TooLong("AttemptTimeout", connect.AttemptTimeout);
            connect.AttemptTimeout = connect.Timeout;
        }

        if (connect.WorkerTimeout > connect.Timeout)
        {
            if (_origins.IsSet("Connect", "WorkerTimeout"))
                TooLong("WorkerTimeout", connect.WorkerTimeout);
            connect.WorkerTimeout = connect.Timeout;
        }

        void TooLong(string key, TimeSpan value) =>
            Error("Connect", key, $"{key} = {Values.Show(value)} is longer than Timeout = {Values.Show(connect.Timeout)}, "
                + "which holds for all attempts together");
    }

    private void CheckWorkers()
    {
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        var controls = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var worker in options.Workers)
        {
            string section = $"Worker:{worker.Name}";
            if (_origins.AnyFailed(section, "Address", "SocksPort"))
                continue;
            string endPoint = worker.SocksEndPoint.ToString()!;
            if (!seen.TryAdd(endPoint, section))
                Error(section, SocksKey(section), $"{endPoint} is the SOCKS address of [{seen[endPoint]}] already; two workers need two tor processes");
            if (worker.ControlEndPoint is not { } control || _origins.AnyFailed(section, "ControlPort"))
                continue;
            if (SameAddress(control, worker.SocksEndPoint))
                Error(section, "ControlPort", $"ControlPort is the same as its SocksPort ({control}); tor has one port for each");
            else if (!controls.TryAdd(control.ToString()!, section))
                Error(section, "ControlPort", $"{control} is the control port of [{controls[control.ToString()!]}] already; two workers need two tor processes");
        }

        const string Managed = "ManagedWorkers";
        if (options.Workers.Count == 0 && options.ManagedWorkers.Count == 0)
            Error(Managed, "Count", "Count = 0 and no [Worker:name] is configured: nothing could carry a connection; add a worker or raise Count");
        if (options.Workers.Count > 0 && options.ManagedWorkers.Count > 0)
        {
            string? given = Array.Find(["Count", "DataDirectory", "TorPath", "ExtraTorrc"], key => _origins.IsSet(Managed, key));
            if (given is not null)
                Warning(Managed, given, "is not used, because there are [Worker:name] sections");
        }
    }

    /// <summary>What only tor can do, and is asked for all the same.</summary>
    private void CheckOtherWorker(WorkerOptions worker, string section)
    {
        const string what = "Tor = no";
        var isolation = options.Balancing.Isolation;
        if (isolation != IsolationMode.None)
        {
            Warning(section, "Tor", $"{what}, but [Balancing] Isolation = {isolation.ToString().ToLowerInvariant()} sends it a user name and password, "
                + "which few such servers take, and nothing is kept apart by it; Isolation = none does without");
        }

        foreach (var listener in options.Listeners.Where(static one => one.Isolation is not (null or IsolationMode.None)))
            Warning(section, "Tor", $"{what}, but [Listener:{listener.Name}] Isolation = {listener.Isolation.ToString()!.ToLowerInvariant()} sends it a user name and password, which few such servers take");
        if (worker.ControlEndPoint is not null)
            Warning(section, "ControlPort", $"{what}, but it has a ControlPort, which only tor has");
        if (worker.DnsPort is not null)
            Warning(section, "DnsPort", $"{what}, but it has a DnsPort, which only tor has");
        if (options.Health.OnionCanary.Length > 0)
            Warning(section, "Tor", $"{what}, but [Health] OnionCanary is an onion service: it will never pass a probe");
        if (options.Workers.Any(static other => other.IsTor))
            Warning(section, "Tor", $"{what}, and other workers are tor: which of them carries a connection decides whether Tor hides it");
    }

    private void CheckRoute()
    {
        foreach (var rule in options.Route.Rules)
            CheckRule(rule, $"Rule:{rule.Name}");
        CheckOrder(options.Route.Rules);

        bool wantsLink = options.Route.Clearnet == ClearnetRoute.Wireguard, ruleWantsLink = options.Route.Rules.Any(static rule => rule.Route == RuleRoute.Wireguard);
        if ((wantsLink || ruleWantsLink) && !options.Workers.Any(static worker => worker.WgInterface.Length > 0))
        {
            string what = wantsLink ? "Clearnet = wireguard" : "a rule says wireguard";
            Warning("Route", "Clearnet", $"{what}, but no [Worker:name] has a WgInterface: such connections will be refused");
        }

        var isolation = options.Balancing.Isolation;
        if (wantsLink && options.Route.Isolated == IsolatedRoute.Socks && isolation is not (IsolationMode.Client or IsolationMode.None))
        {
            Warning("Route", "Clearnet", $"[Balancing] Isolation = {isolation.ToString().ToLowerInvariant()} cannot be kept on a WireGuard link, "
                + "so connections go by SOCKS; Isolated = as_routed would put it the other way round");
        }

        foreach (var worker in options.Workers)
            CheckWayAround(worker, $"Worker:{worker.Name}");

        if (options.Route is not { Clearnet: ClearnetRoute.Socks, Rules.Count: 0 })
            return;
        foreach (var worker in options.Workers.Where(static worker => worker.WgInterface.Length > 0))
            Warning($"Worker:{worker.Name}", "WgInterface", "WgInterface is not used for connections: [Route] Clearnet = socks");
    }

    /// <summary>What goes to the worker's own ports is bound to the link at WgWorkerAddress only. Loopback and unix sockets do not leave this machine.</summary>
    private void CheckWayAround(WorkerOptions worker, string section)
    {
        if (worker.WgInterface.Length == 0 || worker.Address is not { } address || IPAddress.IsLoopback(address) || address.Equals(worker.WgWorkerAddress)
            || _origins.AnyFailed(section, "Address", "SocksPort", "ControlPort", "SshPort", "WgInterface", "WgHostAddress", "WgWorkerAddress"))
            return;
        (string Key, bool IsThere)[] keys = [("SocksPort", worker.SocksEndPoint is IPEndPoint), ("ControlPort", worker.ControlEndPoint is IPEndPoint), ("SshPort", worker.SshPort is not null)];
        string ports = string.Join(", ", keys.Where(static one => one.IsThere).Select(static one => one.Key));
        if (ports.Length == 0)
            return;
        string known = worker.WgWorkerAddress is { } bound ? $"WgWorkerAddress, which is {bound}" : "WgWorkerAddress, which is not given";
        Warning(section, "Address", $"{ports} at {address} will be reached as the system routes, not bound to {worker.WgInterface}: only what goes to {known}, is bound to the link");
    }

    private void CheckRule(RuleOptions rule, string section)
    {
        if (_origins.AnyFailed(section, RuleKeys) || _origins.HasUnknown(section))
            return;
        if (rule.Route is null)
            _issues.Error(_origins.Of(section, "Route"), $"[{section}] needs a Route: auto, socks, wireguard or reject");
        if (rule.Domains.Count == 0 && rule.Ports.Count == 0 && rule.Networks.Count == 0)
            _issues.Error(_origins.Of(section, "Route"), $"[{section}] has no condition and would fit every target; that is [Route] Clearnet");
        if (rule.Domains.Count > 0 && rule.Networks.Count > 0)
            Error(section, "Network", "Network and Domain together fit nothing: a target is a name or an address");
        if (rule.Route == RuleRoute.Wireguard && rule.Domains.Any(static domain => domain == "onion" || domain.EndsWith(".onion", StringComparison.Ordinal)))
            Warning(section, "Route", "onion services always go by a SocksPort, whatever a rule says; only reject holds for them");
        else if (rule.Domains.Count > 0 && rule.Domains.All(static domain => WhyNever(domain) is not null))
            Warning(section, "Domain", $"never decides: {WhyNever(rule.Domains[0])} is refused before any rule{(HostName.EndsInNumber(rule.Domains[0]) ? "; an address goes into Network" : "")}");
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
            if (rules.Take(later).FirstOrDefault(earlier => Covers(earlier, rules[later])) is { } first && !_origins.AnyFailed(section, RuleKeys) && !_origins.AnyFailed($"Rule:{first.Name}", RuleKeys))
                _issues.Warning(_origins.Of(section, "Route"), $"[{section}] never decides: [Rule:{first.Name}] stands before it and fits every target of it");
        }
    }

    /// <summary>True when every target that <paramref name="narrow"/> fits is one of <paramref name="wide"/> as well.</summary>
    private static bool Covers(RuleOptions wide, RuleOptions narrow) =>
        (wide.Domains.Count > 0 || wide.Ports.Count > 0 || wide.Networks.Count > 0)
        && Each(wide.Domains, narrow.Domains, static (all, one) => one == all || one.EndsWith("." + all, StringComparison.Ordinal))
        && Each(wide.Ports, narrow.Ports, static (all, one) => all.First <= one.First && one.Last <= all.Last)
        && Each(wide.Networks, narrow.Networks, static (all, one) => all.PrefixLength <= one.PrefixLength && all.Contains(one.BaseAddress));

    /// <summary>No condition fits everything.</summary>
    private static bool Each<T>(IList<T> wide, IList<T> narrow, Func<T, T, bool> covers) =>
        wide.Count == 0 || (narrow.Count > 0 && narrow.All(one => wide.Any(all => covers(all, one))));

    /// <summary>True when binding both would fail: equal, or the same port with one of them on all addresses of the family.</summary>
    private static bool SameAddress(EndPoint left, EndPoint right)
    {
        if (left is not IPEndPoint a || right is not IPEndPoint b)
            return left.AddressFamily == right.AddressFamily && left.ToString() == right.ToString();
        if (a.Port != b.Port || a.Port == 0 || a.AddressFamily != b.AddressFamily)
            return false;
        return a.Address.Equals(b.Address) || IsAny(a.Address) || IsAny(b.Address);
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    private string SocksKey(string section) => _origins.IsSet(section, "SocksPort") ? "SocksPort" : "Address";

    private void Error(string section, string key, string message) => _issues.Error(_origins.Of(section, key), $"[{section}] {message}");

    private void Warning(string section, string key, string message) => _issues.Warning(_origins.Of(section, key), $"[{section}] {message}");
}
