namespace TorBalancer.Configuration;

/// <summary>Which way to a worker clearnet connections take.</summary>
public enum ClearnetRoute : byte
{
    /// <summary>WireGuard where the worker has a link, else its SocksPort.</summary>
    Auto,
    Socks,
    Wireguard,
}

/// <summary>[Route]: which way a connection leaves.</summary>
public sealed class RouteOptions
{
    /// <summary>Default auto.</summary>
    public ClearnetRoute Clearnet { get; set; }
}
