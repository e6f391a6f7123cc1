using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Protocols.Http;

/// <summary>What the HTTP side of one client connection is told.</summary>
/// <param name="ConnectionId">By which log and error pages name the connection.</param>
/// <param name="HandshakeTimeout">How long a request head may take from its first byte on, and the first one from accept on.</param>
internal sealed record HttpServerSettings(string ConnectionId, TimeSpan HandshakeTimeout)
{
    /// <summary>How long a kept connection may wait for its next request. Default 60 s.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The listener speaks SOCKS5 too.</summary>
    public bool SpeaksSocks5 { get; init; }

    /// <summary>The client speaks TLS with the listener.</summary>
    public bool IsTls { get; init; }

    /// <summary>The listener's ports, each of which is a session; null: they are none.</summary>
    public PortSessions? SessionPorts { get; init; }

    /// <summary>Cancelled when the daemon drains: a kept connection without a request then ends at once.</summary>
    public CancellationToken Stopping { get; init; }

    /// <summary>What the connection's descriptors are taken from; by default without a bound.</summary>
    public DescriptorBudget Descriptors { get; init; } = NoBound;

    private static readonly DescriptorBudget NoBound = DescriptorBudget.Unlimited();
}
