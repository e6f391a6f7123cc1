namespace TorBalancer.Configuration.Options;

/// <summary>Everything that torbalancer.conf can say, after parsing; one property for each kind of section.</summary>
public sealed class TorBalancerOptions
{
    /// <summary>[Listener:name] sections in the order of the file. None configured: one on 127.0.0.1:1080.</summary>
    public IList<ListenerOptions> Listeners { get; } = [];

    /// <summary>[User:name] sections in the order of the file.</summary>
    public IList<UserOptions> Users { get; } = [];

    public AdminOptions Admin { get; } = new();

    public ReadinessOptions Readiness { get; } = new();

    public DnsOptions Dns { get; } = new();

    public BalancingOptions Balancing { get; } = new();

    public CircuitsOptions Circuits { get; } = new();

    public ConnectOptions Connect { get; } = new();

    public TunnelOptions Tunnel { get; } = new();

    public EngineOptions Engine { get; } = new();

    public HealthOptions Health { get; } = new();

    public AlertsOptions Alerts { get; } = new();

    public BlacklistOptions Blacklist { get; } = new();

    public RouteOptions Route { get; } = new();

    public LogOptions Log { get; } = new();

    /// <summary>[Worker:name] sections in the order of the file, which is the order of mode failover.</summary>
    public IList<WorkerOptions> Workers { get; } = [];

    public DiscoveryOptions Discovery { get; } = new();

    public ManagedWorkersOptions ManagedWorkers { get; } = new();

    /// <summary>The daemon runs tor processes of its own, because nobody says where others are.</summary>
    public bool UsesManagedWorkers => Workers.Count == 0 && !Discovery.IsOn;

    public PublisherOptions Publisher { get; } = new();

    /// <summary>[OnionService:name] sections in the order of the file.</summary>
    public IList<OnionServiceOptions> OnionServices { get; } = [];

    /// <summary>[Instance:SERVICE/NAME] sections of all services, in the order of the file.</summary>
    public IList<InstanceOptions> Instances { get; } = [];
}
