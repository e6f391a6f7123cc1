namespace TorBalancer.Configuration.Options;

/// <summary>
/// The sections that a reload may change, each as it is now. The one place where new options come from: whoever goes by a section while
/// the daemon runs has its <see cref="Live{T}"/>, and nobody else writes one.
/// </summary>
/// <remarks>
/// [Listener:…] and [Worker:…] become models, which the server and the pool replace. [Admin], [Dns], [Engine] and [ManagedWorkers] are read
/// when the daemon starts and not again.
/// </remarks>
internal sealed class LiveOptions(TorBalancerOptions options)
{
    public LiveSource<AlertsOptions> Alerts { get; } = new(options.Alerts);

    public LiveSource<BalancingOptions> Balancing { get; } = new(options.Balancing);

    public LiveSource<BlacklistOptions> Blacklist { get; } = new(options.Blacklist);

    public LiveSource<CircuitsOptions> Circuits { get; } = new(options.Circuits);

    public LiveSource<ConnectOptions> Connect { get; } = new(options.Connect);

    public LiveSource<HealthOptions> Health { get; } = new(options.Health);

    public LiveSource<LogOptions> Log { get; } = new(options.Log);

    public LiveSource<ReadinessOptions> Readiness { get; } = new(options.Readiness);

    public LiveSource<RouteOptions> Route { get; } = new(options.Route);

    public LiveSource<TunnelOptions> Tunnel { get; } = new(options.Tunnel);

    /// <summary>Everything as it is now; for what is made of several sections.</summary>
    public LiveSource<TorBalancerOptions> All { get; } = new(options);

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
        Readiness.Set(next.Readiness);
        Route.Set(next.Route);
        Tunnel.Set(next.Tunnel);
        All.Set(next);
    }
}
