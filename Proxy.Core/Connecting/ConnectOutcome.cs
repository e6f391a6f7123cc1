using TorBalancer.Primitives;

namespace TorBalancer.Connecting;

/// <summary>How connecting ended over all attempts.</summary>
/// <param name="Stream">The open stream, whoever takes the outcome disposes it; null with an error, and for RESOLVE.</param>
/// <param name="Answer">The answer to RESOLVE and RESOLVE_PTR.</param>
/// <param name="Error">The error that the client is to be told.</param>
/// <param name="Attempts">How many workers were tried.</param>
/// <param name="WorkerId">The worker that succeeded or was tried last; null when none was.</param>
/// <param name="ViaLink">It goes over the worker's WireGuard link, or was tried there last.</param>
/// <param name="Session">The session that it is of, or null.</param>
internal readonly record struct ConnectOutcome(
    WorkerStream? Stream, HostEndPoint Answer, ProxyError Error, int Attempts, string? WorkerId, bool ViaLink = false,
    SessionUse? Session = null)
{
    /// <summary>No worker was asked.</summary>
    public static ConnectOutcome Rejected(ProxyError error) => new(null, default, error, 0, null);
}
