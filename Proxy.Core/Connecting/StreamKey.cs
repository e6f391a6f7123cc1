using TorBalancer.Primitives;

namespace TorBalancer.Connecting;

/// <summary>What a stream of ours is found by at its worker's control port; immutable, because views read it meanwhile.</summary>
/// <param name="Password">The isolation token as it was sent; null: none.</param>
/// <param name="LocalPort">Our port towards the worker; null on a unix socket.</param>
internal sealed record StreamKey(string WorkerId, string? Password, int? LocalPort, HostEndPoint Target);
