using TorBalancer.Balancing;
using TorBalancer.Protocols;

namespace TorBalancer.Connecting;

/// <summary>Everything that was decided about a connection before the first worker is dialled; the same for all attempts.</summary>
internal readonly record struct ConnectPlan(ProxyRequest Request, SelectionRequest Selection, IsolationToken Token);
