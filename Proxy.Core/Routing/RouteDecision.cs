using TorBalancer.Primitives;

namespace TorBalancer.Routing;

/// <summary>Which way a request leaves.</summary>
internal enum RouteKind : byte
{
    /// <summary>Through a worker's SocksPort.</summary>
    Socks,

    /// <summary>Not at all; <see cref="RouteDecision.Error"/> says why.</summary>
    Reject,
}

/// <summary>The way a request leaves, or why it does not.</summary>
internal readonly record struct RouteDecision(RouteKind Kind, ProxyError Error)
{
    public static RouteDecision Socks => new(RouteKind.Socks, default);

    public static RouteDecision Reject(FailureCause cause, string detail) => new(RouteKind.Reject, new ProxyError(cause, detail));
}
