namespace TorBalancer.Admin;

/// <summary>One live connection of a client. Member names in JSON are these in snake_case and are contract.</summary>
internal sealed record ConnectionView
{
    /// <summary>As in the log.</summary>
    public required string Id { get; init; }

    /// <summary>handshake, connecting or open.</summary>
    public required string State { get; init; }

    /// <summary>The listener that it came by.</summary>
    public required string Listener { get; init; }

    /// <summary>What the client speaks; unknown until it has said something.</summary>
    public required string Protocol { get; init; }

    /// <summary>Of its latest request, redacted as in the access log; null before the first.</summary>
    public required string? Target { get; init; }

    /// <summary>The worker that carries it; null before it is known.</summary>
    public required string? Worker { get; init; }

    /// <summary>$FINGERPRINT~nickname of the relay that it leaves by; null where the worker does not tell, and to onion services.</summary>
    public required string? Exit { get; init; }

    /// <summary>Since it was accepted, milliseconds.</summary>
    public required long AgeMs { get; init; }

    /// <summary>Bytes from the client so far.</summary>
    public required long BytesSent { get; init; }

    /// <summary>Bytes to the client so far.</summary>
    public required long BytesReceived { get; init; }
}

/// <summary>GET /api/v1/connections.</summary>
internal sealed record ConnectionsView(IReadOnlyList<ConnectionView> Connections);
