using TorBalancer.Connecting;
using TorBalancer.Protocols;

namespace TorBalancer.Forwarding;

/// <summary>What is left to do when a request has been forwarded.</summary>
/// <param name="GoesOn">The client may send its next request.</param>
/// <param name="Farewell">How the client's side is to end when it may not.</param>
/// <param name="Upgraded">
/// 101 was forwarded: this stream, which has begun and is the caller's from here on, is to be tunnelled (both Inputs may hold bytes).
/// </param>
internal readonly record struct HttpForwardResult(bool GoesOn, ClientFarewell Farewell, WorkerStream? Upgraded);
