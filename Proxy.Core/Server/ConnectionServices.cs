using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Protocols;
using TorBalancer.Routing;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>What every client connection needs and none owns.</summary>
internal sealed record ConnectionServices(
    ITransport Transport,
    UserParametersParser UserParameters,
    ConnectPlanner Planner,
    RetryConnector Connector,
    WorkerPool Pool,
    AccessLog AccessLog,
    ExitLookup Exits,
    IpOnlyClientNotice IpOnlyNotice,
    IOutcomeSink Outcomes,
    TimeSpan TunnelIdleTimeout,
    TimeProvider Time)
{
    /// <summary>Which way targets go; by default all of them to a SocksPort.</summary>
    public RouteTable Routes { get; init; } = new(new RouteOptions { Clearnet = ClearnetRoute.Socks });

    /// <summary>How all of them end behind an answer.</summary>
    public LingeringClose Lingering { get; init; } = new(Time);

    /// <summary>Told of every connection; null: nobody gives memory back.</summary>
    public MemoryTrim? Trim { get; init; }

    /// <summary>What clients are promised descriptors from; by default without a bound.</summary>
    public DescriptorBudget Descriptors { get; init; } = DescriptorBudget.Unlimited();

    /// <summary>Asked for every client; by default there is no limit.</summary>
    public MemoryRoom Memory { get; init; } = new(null, static () => { });

    /// <summary>[Route] FirstByteTimeout; zero: none.</summary>
    public TimeSpan FirstByteTimeout { get; init; }
}
