namespace TorBalancer.Transport;

/// <summary>How TCP finds out that a peer is gone. Unix sockets need none of it: the kernel knows.</summary>
/// <param name="KeepAlive">Quiet time before the first keep-alive probe; four unanswered ones end the connection. Zero: off.</param>
/// <param name="UserTimeout">
/// How long sent data may stay unacknowledged on a connection that we made (TCP_USER_TIMEOUT, RFC 5482). Zero: the kernel's.
/// </param>
public readonly record struct SocketSettings(TimeSpan KeepAlive = default, TimeSpan UserTimeout = default)
{
    /// <summary>Quiet seconds before, and between, the probes of <see cref="TransportConnection.ProbePeer"/>.</summary>
    internal const int ProbeSeconds = 10;
}
