using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>What happens to a connection: [Balancing], [Circuits], [Connect], [Tunnel], [Engine] and [Route].</summary>
internal sealed partial class ConfigurationSchema
{
    public SchemaSection<CircuitsOptions> Circuits { get; } = new SchemaSection<CircuitsOptions>(
            "Circuits", "Circuits that are built ahead of the clients that will need them.")
        .Key("Warm", Warm(), "auto",
            "Clean circuits kept ready for each worker with a control port: auto (as recent demand will need), off, or so many.",
            (options, value) => options.Warm = value)
        .Key("MaxWarm", Values.Number(1, 64), "16", "The most that auto keeps ready for one worker.",
            (options, value) => options.MaxWarm = value);

    public SchemaSection<ConnectOptions> Connect { get; } = new SchemaSection<ConnectOptions>(
            "Connect", "How long and how often a connection is tried before the client hears of a failure.")
        .Key("Timeout", Values.Duration(Seconds(1), TimeSpan.FromMinutes(10)), "90s",
            "How long it is tried, all attempts together, before the client hears a failure.",
            (options, value) => options.Timeout = value)
        .Key("Attempts", Values.Number(1, 16), "3", "How many workers may be tried.",
            (options, value) => options.Attempts = value)
        .Key("AttemptTimeout", Values.Duration(Seconds(1), TimeSpan.FromMinutes(10)), "45s",
            "The longest one worker may take before the next is tried; never more than Timeout.",
            (options, value) => options.AttemptTimeout = value)
        .Key("WorkerTimeout", Values.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)), "5s",
            "How long a worker may take to accept a connection and to greet; never more than Timeout.",
            (options, value) => options.WorkerTimeout = value)
        .Key("Hedge", Hedge(), "off",
            "Ask a second worker as well when the first is slow: off, after:2s, or adaptive (slower than nine of ten recent connects).",
            (options, value) => options.Hedge = value)
        .Key("RetryBudget", Values.Number(0, 100), "20", "Retries and hedges, in percent of all connections of the last ten seconds.",
            (options, value) => options.RetryBudget = value)
        .Key("RetryFloor", Values.Number(0, 10_000), "10", "Retries and hedges a second that are allowed whatever the budget says.",
            (options, value) => options.RetryFloor = value)
        .Key("PreConnect", Values.Number(0, 64), "8",
            "Connections that are made in advance for each worker that is reached over a network, at most; 0: none.",
            (options, value) => options.PreConnect = value);

    public SchemaSection<TunnelOptions> Tunnel { get; } = new SchemaSection<TunnelOptions>("Tunnel", "Connections that are carried.")
        .Key("IdleTimeout", Values.Duration(Seconds(1), TimeSpan.FromHours(168), offIsZero: true), "off",
            "End a tunnel after this long without a byte either way.",
            (options, value) => options.IdleTimeout = value)
        .Key("LameDuck", Values.Duration(TimeSpan.Zero, TimeSpan.FromHours(24)), "0s",
            "How long connections are still taken when the daemon is told to stop, while readiness says drain; a second signal ends it.",
            (options, value) => options.LameDuck = value)
        .Key("DrainTimeout", Values.Duration(TimeSpan.Zero, TimeSpan.FromHours(24)), "30s",
            "How long live tunnels may go on after that.",
            (options, value) => options.DrainTimeout = value)
        .Key("EndWhenWorkerIsGone", Values.YesNo, "yes",
            "End the tunnels of a worker whose process or host is gone, so that clients reconnect instead of hanging.",
            (options, value) => options.EndWhenWorkerIsGone = value)
        .Key("KeepAlive", Values.Duration(Seconds(5), TimeSpan.FromHours(2), offIsZero: true), "60s",
            "How long a connection is quiet before TCP asks whether the peer is still there.",
            (options, value) => options.KeepAlive = value, restart: true)
        .Key("UserTimeout", Values.Duration(Seconds(5), TimeSpan.FromHours(2), offIsZero: true), "60s",
            "How long sent data may stay unacknowledged on a worker's link before the link counts as broken.",
            (options, value) => options.UserTimeout = value, restart: true);

    public SchemaSection<EngineOptions> Engine { get; } = new SchemaSection<EngineOptions>(
            "Engine", "What moves the bytes. The defaults are right but for experiments.", needsRestart: true)
        .Key("Transport", Engines(), "auto",
            "What moves the bytes: linux (epoll and splice), sockets (any platform); auto: linux where it runs.",
            (options, value) => options.Transport = value)
        .Key("Loops", Loops(), "auto", "Threads of the linux engine; auto: one for each processor.",
            (options, value) => options.Loops = value);

    public SchemaSection<RouteOptions> Route { get; } = new SchemaSection<RouteOptions>("Route", "Which way a connection leaves.")
        .Fixed("Onion", Values.Word("a route for onion services", "socks"), "socks",
            "The way to onion services: always the worker's SocksPort.")
        .Key("Clearnet", Clearnet(), "auto",
            "The way to everything else; auto: over WireGuard where the worker has a link, else by its SocksPort.",
            (options, value) => options.Clearnet = value)
        .Key("Isolated", Isolated(), "socks",
            "What a link cannot keep apart (users, sessions, connections, clients elsewhere): socks, or as_routed to share circuits there.",
            (options, value) => options.Isolated = value)
        .Key("Family", Family(), "prefer_ipv4", "Which of a name's addresses is used over a link.",
            (options, value) => options.Family = value)
        .Key("AllowTargets", Values.Targets, "", "The only targets that anybody may ask for, whatever rules say; empty: any.",
            (options, value) => value.ForEach(options.AllowTargets.Add))
        .Key("DenyTargets", Values.Targets, "", "Targets that nobody may ask for; it goes before AllowTargets.",
            (options, value) => value.ForEach(options.DenyTargets.Add))
        .Key("NameCache", Values.Duration(Seconds(1), TimeSpan.FromHours(24), offIsZero: true), "10m",
            "The longest that an address is remembered, however long it would hold.",
            (options, value) => options.NameCache = value)
        .Key("FirstByteTimeout", Values.Duration(Seconds(1), TimeSpan.FromHours(1), offIsZero: true), "60s",
            "How long a stream over a link may stay silent before that counts by half against the worker; nothing is ended.",
            (options, value) => options.FirstByteTimeout = value);

    public SchemaSection<RuleOptions> Rule { get; } = new SchemaSection<RuleOptions>(
            "Rule",
            "The way of certain targets. The first rule that fits decides, in the order of the file; all its conditions must hold.",
            nameForm: "name")
        .Key("Domain", Values.Domains, "", "Names, each with everything below it; empty: any target.",
            (rule, value) => value.ForEach(rule.Domains.Add))
        .Key("Port", Values.Ports, "", "Ports and ranges of ports; empty: any.",
            (rule, value) => value.ForEach(rule.Ports.Add))
        .Key("Network", Values.Networks, "",
            "Networks of addresses that clients ask for; a name is not looked up for it. Empty: any target.",
            (rule, value) => value.ForEach(rule.Networks.Add))
        .Key("Route", RuleRoutes(), "", "The way for what fits: auto, socks, wireguard, or reject.",
            (rule, value) => rule.Route = value);

    private static SchemaSection<BalancingOptions> BalancingSection(ValueParser<string> mode) =>
        new SchemaSection<BalancingOptions>("Balancing", "How a worker is picked for a connection.")
        .Key("Mode", mode, "round_robin", "How a worker is picked for a connection.",
            (options, value) => options.Mode = value)
        .Key("StickyBy", StickyKeys(), "auto",
            "What mode sticky goes by; auto: the session, else the user name, else the client's address.",
            (options, value) => options.StickyBy = value)
        .Key("Isolation", Isolation(), "client", "What keeps circuits apart: connections that differ in it never share one.",
            (options, value) => options.Isolation = value)
        .Key("KeyFile", Values.AutoOrPath, "auto",
            "The key that clients and sessions get their circuits by: auto (in the state directory), or a file that gateways share.",
            (options, value) => options.KeyFile = value, restart: true)
        .Key("Panic", Panics(), "fail_fast", "When no worker is eligible: answer at once, or try those that health holds back.",
            (options, value) => options.Panic = value)
        .Key("PassOver", Values.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5), offIsZero: true), "2s",
            "How long a worker that could not be reached is passed over, unless too few others remain.",
            (options, value) => options.PassOver = value);

    private static ValueParser<StickyBy> StickyKeys() => Values.OneOf("something that sticky can go by",
        ("auto", StickyBy.Auto), ("user", StickyBy.User), ("client", StickyBy.Client), ("destination", StickyBy.Destination));

    private static ValueParser<HedgeOptions> Hedge()
    {
        const string prefix = "after:";
        var after = Values.Duration(TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(5));
        var word = Values.OneOf("a way of hedging",
            ("off", new HedgeOptions(HedgeKind.Off)), ("adaptive", new HedgeOptions(HedgeKind.Adaptive)));
        return new ValueParser<HedgeOptions>($"off, adaptive, or after: with {after.Allowed}",
            (string text, ValueContext context, out HedgeOptions value) =>
        {
            if (!text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            {
                // 2s and after 2s and after=2s: the delay is there, only not its form.
                bool isAfter = text.StartsWith(prefix.TrimEnd(':'), StringComparison.OrdinalIgnoreCase);
                string rest = isAfter ? text[(prefix.Length - 1)..].Trim(' ', '=', '_', '-') : text;
                return word.Parse(text, context, out value) switch
                {
                    { Suggestion: null } unknown when rest.Length > 0 && char.IsAsciiDigit(rest[0]) =>
                        unknown with { Suggestion = prefix + (after.Parse(rest, context, out _)?.Suggestion ?? rest) },
                    var known => known,
                };
            }

            var problem = after.Parse(text[prefix.Length..].Trim(), context, out var delay);
            value = new HedgeOptions(HedgeKind.After, delay);
            return problem is { Suggestion: { } meant } ? problem with { Suggestion = prefix + meant } : problem;
        });
    }

    private static ValueParser<WarmCount> Warm()
    {
        var word = Values.OneOf("a way of keeping circuits ready", ("auto", WarmCount.Auto), ("off", WarmCount.Off));
        var number = Values.Number(1, 64);
        return new ValueParser<WarmCount>($"auto, off, or {number.Allowed}",
            (string text, ValueContext context, out WarmCount value) =>
        {
            if (text.Length == 0 || !char.IsAsciiDigit(text[0]))
                return word.Parse(text, context, out value);
            var problem = number.Parse(text, context, out int count);
            value = new WarmCount(count);
            return problem;
        });
    }

    private static ValueParser<EngineKind> Engines() => Values.OneOf("an engine",
        ("auto", EngineKind.Auto), ("linux", EngineKind.Linux), ("sockets", EngineKind.Sockets));

    private static ValueParser<int> Loops()
    {
        var number = Values.Number(1, 64);
        return new ValueParser<int>($"auto, or {number.Allowed}", (string text, ValueContext context, out int value) =>
        {
            value = 0;
            return text.Equals("auto", StringComparison.OrdinalIgnoreCase) ? null : number.Parse(text, context, out value);
        });
    }

    private static ValueParser<PanicMode> Panics() =>
        Values.OneOf("a last resort", ("fail_fast", PanicMode.FailFast), ("try_all", PanicMode.TryAll));

    private static ValueParser<ClearnetRoute> Clearnet() => Values.OneOf("a route",
        ("auto", ClearnetRoute.Auto), ("socks", ClearnetRoute.Socks), ("wireguard", ClearnetRoute.Wireguard));

    private static ValueParser<RuleRoute> RuleRoutes() => Values.OneOf("a route",
        ("auto", RuleRoute.Auto), ("socks", RuleRoute.Socks), ("wireguard", RuleRoute.Wireguard), ("reject", RuleRoute.Reject));

    private static ValueParser<IsolatedRoute> Isolated() => Values.OneOf("a way for isolated connections",
        ("socks", IsolatedRoute.Socks), ("as_routed", IsolatedRoute.AsRouted));

    private static ValueParser<AddressChoice> Family() => Values.OneOf("a choice of addresses",
        ("prefer_ipv4", AddressChoice.PreferIPv4), ("prefer_ipv6", AddressChoice.PreferIPv6),
        ("ipv4", AddressChoice.IPv4), ("ipv6", AddressChoice.IPv6));
}
