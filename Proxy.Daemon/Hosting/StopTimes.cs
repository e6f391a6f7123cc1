using TorBalancer.Configuration.Options;

namespace TorBalancer.Daemon.Hosting;

/// <summary>How long a stop may take.</summary>
internal static class StopTimes
{
    /// <summary>For what follows the drain time: connections that are cut, the admin API, managed workers in stages.</summary>
    public static readonly TimeSpan AfterDraining = TimeSpan.FromSeconds(45);

    /// <summary>The host's limit: lame duck and draining are bounded by their own keys, this only stands behind them.</summary>
    public static TimeSpan OfHost(TunnelOptions tunnel) => tunnel.LameDuck + tunnel.DrainTimeout + TimeSpan.FromSeconds(30);
}
