using TorBalancer.Connecting;
using TorBalancer.Protocols;
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
    TimeProvider Time);
