using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>What is left to do when forwarding is over.</summary>
internal enum HttpForwardOutcomeKind : byte
{
    /// <summary>Nothing: the connection is over, and is to end as <see cref="HttpForwardOutcome.Farewell"/> says.</summary>
    Ended,

    /// <summary>101 was forwarded: tunnel the two (their Inputs may hold bytes), then dispose the upstream.</summary>
    Tunnel,

    /// <summary>The client's next request was CONNECT: serve it as such.</summary>
    Connect,
}

/// <param name="Kind">What it is.</param>
/// <param name="Request">Set for Tunnel and Connect.</param>
/// <param name="Upstream">Set for Tunnel: the caller's from here on.</param>
/// <param name="Error">Of the last exchange, or why the connection ended; may be <see cref="ProxyError.None"/>.</param>
internal readonly record struct HttpForwardOutcome(HttpForwardOutcomeKind Kind, ProxyRequest? Request, IUpstream? Upstream, ProxyError Error)
{
    /// <summary>How the client's side is to end, for <see cref="HttpForwardOutcomeKind.Ended"/>.</summary>
    public ClientFarewell Farewell { get; init; }
}
