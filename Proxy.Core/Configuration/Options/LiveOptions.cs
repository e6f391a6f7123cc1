namespace TorBalancer.Configuration.Options;

/// <summary>
/// The sections that a reload may change, each as it is now. The one place where new options come from: whoever goes by a section while
/// the daemon runs has its <see cref="Live{T}"/>, and nobody else writes one.
/// </summary>
/// <remarks>
/// [Listener:…] and [Worker:…] become models, which the server and the pool replace. [Admin], [Engine] and [ManagedWorkers] are read when
/// the daemon starts and not again.
/// </remarks>
internal sealed class LiveOptions(TorBalancerOptions options)
{
    public Live<AlertsOptions> Alerts { get; } = options.Alerts;

    public Live<BalancingOptions> Balancing { get; } = options.Balancing;

    public Live<BlacklistOptions> Blacklist { get; } = options.Blacklist;

    public Live<CircuitsOptions> Circuits { get; } = options.Circuits;

    public Live<ConnectOptions> Connect { get; } = options.Connect;

    public Live<HealthOptions> Health { get; } = options.Health;

    public Live<LogOptions> Log { get; } = options.Log;

    public Live<RouteOptions> Route { get; } = options.Route;

    public Live<TunnelOptions> Tunnel { get; } = options.Tunnel;

    /// <summary>Everything as it is now; for what is made of several sections.</summary>
    public Live<TorBalancerOptions> All { get; } = options;

    /// <summary>Puts new options in the place of the old ones. Cannot fail: they have been judged.</summary>
    public void Set(TorBalancerOptions next)
    {
        Alerts.Set(next.Alerts);
        Balancing.Set(next.Balancing);
        Blacklist.Set(next.Blacklist);
        Circuits.Set(next.Circuits);
        Connect.Set(next.Connect);
        Health.Set(next.Health);
        Log.Set(next.Log);
        Route.Set(next.Route);
        Tunnel.Set(next.Tunnel);
        All.Set(next);
    }
}
