using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>How dialling ended over all attempts. With an open connection comes the lease on its worker.</summary>
/// <param name="Connection">The open stream, or null.</param>
/// <param name="Lease">The lease of the worker that carries it; whoever takes the outcome disposes it.</param>
/// <param name="Answer">The answer to RESOLVE and RESOLVE_PTR.</param>
/// <param name="Error">The error that the client is to be told.</param>
/// <param name="Attempts">How many workers were tried.</param>
/// <param name="WorkerId">The worker that succeeded or was tried last; null when none was.</param>
/// <param name="Password">The isolation token as that worker got it; null: none.</param>
/// <param name="ViaLink">It goes over the worker's WireGuard link: whether it works shows at its first byte.</param>
internal sealed record ConnectOutcome(
    TransportConnection? Connection, WorkerLease? Lease, HostEndPoint Answer, ProxyError Error, int Attempts, string? WorkerId,
    string? Password = null, bool ViaLink = false);
