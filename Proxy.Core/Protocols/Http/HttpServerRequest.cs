using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>What the client wants next.</summary>
internal enum HttpServerRequestKind : byte
{
    /// <summary>Nothing more: there is no request, and nobody to be answered.</summary>
    Ended,

    /// <summary>It was refused, and answered so.</summary>
    Refused,

    /// <summary>It was about this proxy itself, and is answered.</summary>
    Answered,

    /// <summary>CONNECT: open a stream, then answer (<see cref="HttpConnectReply"/>).</summary>
    Connect,

    /// <summary>Absolute form: to be forwarded.</summary>
    Forward,
}

/// <param name="Kind">What it is.</param>
/// <param name="Request">Set for Connect and Forward, and for Refused unless it could not be understood.</param>
/// <param name="Error">Why it was refused or ended; <see cref="ProxyError.None"/> for a clean end between two requests.</param>
/// <param name="Status">The status that was sent with Refused and Answered, else 0.</param>
internal readonly record struct HttpServerRequest(
    HttpServerRequestKind Kind, ProxyRequest? Request, ProxyError Error = default, int Status = 0)
{
    /// <summary>True when a request that was refused or answered here is the last of its connection.</summary>
    public bool IsLast { get; init; }

    /// <summary>How the connection is to end behind a last one.</summary>
    public ClientFarewell Farewell { get; init; }

    public static HttpServerRequest Ended(ProxyError error) => new(HttpServerRequestKind.Ended, null, error) { IsLast = true };
}
