namespace TorBalancer.Configuration.Options;

/// <summary>Which way to a worker clearnet connections take.</summary>
public enum ClearnetRoute : byte
{
    /// <summary>WireGuard where the worker has a link, else its SocksPort.</summary>
    Auto,
    Socks,

    /// <summary>Over a worker's link; workers without one are not picked.</summary>
    Wireguard,
}

/// <summary>What becomes of connections that a link cannot keep apart.</summary>
public enum IsolatedRoute : byte
{
    /// <summary>They take the SocksPort, whatever the route says.</summary>
    Socks,

    /// <summary>They take the route, and share circuits there.</summary>
    AsRouted,
}

/// <summary>Which of a name's addresses is connected to over a link.</summary>
public enum AddressChoice : byte
{
    PreferIPv4,
    PreferIPv6,
    IPv4,
    IPv6,
}

/// <summary>[Route]: which way a connection leaves.</summary>
public sealed class RouteOptions
{
    /// <summary>For targets that no rule names. Default auto.</summary>
    public ClearnetRoute Clearnet { get; set; }

    /// <summary>Default socks: isolation goes before the route.</summary>
    public IsolatedRoute Isolated { get; set; }

    /// <summary>Default prefer_ipv4.</summary>
    public AddressChoice Family { get; set; }

    /// <summary>The longest that an address is remembered, whatever its time to live. Default 10 min; zero: not at all.</summary>
    public TimeSpan NameCache { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How long a stream over a link may stay silent after the client has sent something before that counts against the
    /// worker, by half. Nothing is ended. Default 60 s; zero: never.
    /// </summary>
    public TimeSpan FirstByteTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The only targets that may be asked for; empty: any. Default: empty.</summary>
    public IList<TargetPattern> AllowTargets { get; } = [];

    /// <summary>Targets that nobody may ask for, whatever <see cref="AllowTargets"/> says. Default: empty.</summary>
    public IList<TargetPattern> DenyTargets { get; } = [];

    /// <summary>[Rule:name] sections in the order of the file; the first that fits decides.</summary>
    public IList<RuleOptions> Rules { get; } = [];
}
