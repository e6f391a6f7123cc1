namespace TorBalancer.Configuration;

/// <summary>What happens to a connection: [Balancing], [Connect], [Tunnel] and [Route].</summary>
internal sealed partial class ConfigurationSchema
{
    public SchemaSection<ConnectOptions> Connect { get; } = new SchemaSection<ConnectOptions>("Connect")
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
        .Fixed("Hedge", Hedge(), "off", "Asking a second worker before the first has answered; this version knows off only.");

    public SchemaSection<TunnelOptions> Tunnel { get; } = new SchemaSection<TunnelOptions>("Tunnel")
        .Key("IdleTimeout", Values.Duration(Seconds(1), TimeSpan.FromHours(168), offIsZero: true), "off",
            "End a tunnel after this long without a byte either way.",
            (options, value) => options.IdleTimeout = value)
        .Key("DrainTimeout", Values.Duration(TimeSpan.Zero, TimeSpan.FromHours(24)), "30s",
            "How long live tunnels may go on when the daemon is told to stop.",
            (options, value) => options.DrainTimeout = value);

    public SchemaSection<RouteOptions> Route { get; } = new SchemaSection<RouteOptions>("Route")
        .Fixed("Onion", Values.Word("a route for onion services", "socks"), "socks",
            "The way to onion services: always the worker's SocksPort.")
        .Key("Clearnet", Clearnet(), "auto", "The way to everything else; auto is socks in this version.",
            (options, value) => options.Clearnet = value);

    private static SchemaSection<BalancingOptions> BalancingSection(ValueParser<string> mode) =>
        new SchemaSection<BalancingOptions>("Balancing")
        .Key("Mode", mode, "round_robin", "How a worker is picked for a connection.",
            (options, value) => options.Mode = value)
        .Key("StickyBy", StickyKeys(), "auto",
            "What mode sticky goes by; auto: the session, else the user name, else the client's address.",
            (options, value) => options.StickyBy = value)
        .Key("Isolation", Isolation(), "client", "What keeps circuits apart: connections that differ in it never share one.",
            (options, value) => options.Isolation = value);

    private static ValueParser<StickyBy> StickyKeys() => Values.OneOf("something that sticky can go by",
        ("auto", StickyBy.Auto), ("user", StickyBy.User), ("client", StickyBy.Client), ("destination", StickyBy.Destination));

    private static ValueParser<string> Hedge() => Values.Word("a way of hedging", "off")
        .WithLater(text => text.Equals("adaptive", StringComparison.OrdinalIgnoreCase) || text.StartsWith("after:", StringComparison.OrdinalIgnoreCase));

    private static ValueParser<ClearnetRoute> Clearnet() => Values.OneOf("a route",
        ("auto", ClearnetRoute.Auto), ("socks", ClearnetRoute.Socks))
        .WithLater(text => text.Equals("wireguard", StringComparison.OrdinalIgnoreCase));
}
