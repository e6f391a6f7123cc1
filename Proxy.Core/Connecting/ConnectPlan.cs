using TorBalancer.Balancing;
using TorBalancer.Protocols;

namespace TorBalancer.Connecting;

/// <summary>Everything that was decided about a connection before the first worker is dialled; the same for all attempts.</summary>
/// <param name="Session">The session that it is of, or null.</param>
internal readonly record struct ConnectPlan(ProxyRequest Request, SelectionRequest Selection, IsolationToken Token, SessionUse? Session = null);
