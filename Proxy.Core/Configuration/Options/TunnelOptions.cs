namespace TorBalancer.Configuration.Options;

/// <summary>[Tunnel]: connections that are carried.</summary>
public sealed class TunnelOptions
{
    /// <summary>End a tunnel after this long without a byte either way. Default off (zero): ssh sessions idle for hours.</summary>
    public TimeSpan IdleTimeout { get; set; }

    /// <summary>
    /// How long connections are still taken after SIGTERM, so that load balancers hear of the end before the port closes. Default 0 s (the
    /// listeners close at once), to 24 h.
    /// </summary>
    public TimeSpan LameDuck { get; set; }

    /// <summary>How long live tunnels may go on after that. Default 30 s, 0 s to 24 h.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>End the tunnels of a worker whose process or host is gone, so that clients reconnect. Default true.</summary>
    public bool EndWhenWorkerIsGone { get; set; } = true;

    /// <summary>How long a connection is quiet before TCP asks whether the peer is still there. Default 60 s; zero: never.</summary>
    public TimeSpan KeepAlive { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long sent data may stay unacknowledged on a worker's link before it counts as broken (TCP_USER_TIMEOUT). Default 60 s;
    /// zero: the kernel's.
    /// </summary>
    public TimeSpan UserTimeout { get; set; } = TimeSpan.FromSeconds(60);
}
