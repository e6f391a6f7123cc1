using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Server;
using TorBalancer.Server.Naming;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Metrics;

/// <summary>The parts of the proxy whose figures are shown.</summary>
/// <param name="Pool">The workers.</param>
/// <param name="Health">What becomes of them.</param>
/// <param name="Relays">What their tors say.</param>
/// <param name="Server">Its listeners and connections.</param>
/// <param name="Streams">What connecting comes to.</param>
/// <param name="Sessions">The sessions that are known.</param>
/// <param name="Names">What the name server is asked.</param>
/// <param name="Resolver">What it knows.</param>
/// <param name="Discovery">What DNS says of workers.</param>
internal sealed record MetricParts(
    WorkerPool Pool, HealthMonitor Health, RelayWatchService Relays, ConnectionServices Server, StreamAccounting Streams,
    SessionTable Sessions, DnsCounters Names, DnsResolver Resolver, DiscoveryState Discovery);
