namespace TorBalancer.Admin;

/// <summary>One live connection of a client.</summary>
/// <param name="Id">As in the log.</param>
/// <param name="Listener">The listener that it came by.</param>
/// <param name="Protocol">What the client speaks; unknown until it has said something.</param>
/// <param name="Target">Redacted as in the access log; null before the request.</param>
/// <param name="Worker">The worker that carries it; null before it is known.</param>
/// <param name="Exit">$FINGERPRINT~nickname of the relay that it leaves by; null where the worker does not tell, and to onion services.</param>
/// <param name="AgeMs">Since it was accepted, milliseconds.</param>
/// <param name="BytesSent">Bytes from the client so far.</param>
/// <param name="BytesReceived">Bytes to the client so far.</param>
internal sealed record ConnectionView(
    string Id, string Listener, string Protocol, string? Target, string? Worker, string? Exit, long AgeMs, long BytesSent, long BytesReceived);

/// <summary>GET /api/v1/connections.</summary>
internal sealed record ConnectionsView(IReadOnlyList<ConnectionView> Connections);
