using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>What the client wants next.</summary>
internal enum HttpServerRequestKind : byte
{
    /// <summary>Nothing more: what there was to say has been said, and the connection is to end as <see cref="HttpServerRequest.Farewell"/> says.</summary>
    Ended,

    /// <summary>CONNECT: dial, then <see cref="HttpServerHandshake.ReplyConnectedAsync"/> or ReplyErrorAsync.</summary>
    Connect,

    /// <summary>Absolute-form: give the handshake to <see cref="HttpForwarder"/>.</summary>
    Forward,
}

/// <param name="Kind">What it is.</param>
/// <param name="Request">Set for Connect and Forward.</param>
/// <param name="Error">Why it ended; <see cref="ProxyError.None"/> for a clean end between two requests.</param>
/// <param name="Status">The status that was sent when it ended with an answer of ours, else 0.</param>
internal readonly record struct HttpServerRequest(HttpServerRequestKind Kind, ProxyRequest? Request, ProxyError Error, int Status)
{
    /// <summary>How the connection is to end, for <see cref="HttpServerRequestKind.Ended"/>.</summary>
    public ClientFarewell Farewell { get; init; }
}
