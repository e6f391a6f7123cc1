namespace TorBalancer.Configuration;

/// <summary>[Tunnel]: connections that are carried.</summary>
public sealed class TunnelOptions
{
    /// <summary>End a tunnel after this long without a byte either way. Default off (zero): ssh sessions idle for hours.</summary>
    public TimeSpan IdleTimeout { get; set; }

    /// <summary>How long live tunnels may go on after SIGTERM. Default 30 s, 0 s to 24 h.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);
}
