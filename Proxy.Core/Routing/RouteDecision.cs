using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Routing;

/// <summary>The way a request leaves, or why it does not.</summary>
/// <param name="Route">Whether links may or must be used; of no meaning with an error.</param>
/// <param name="Error">Set when the request goes nowhere.</param>
/// <param name="Rule">The rule that decided; null: none did.</param>
internal readonly record struct RouteDecision(ClearnetRoute Route, ProxyError Error, string? Rule = null)
{
    public static RouteDecision Socks => new(ClearnetRoute.Socks, default);

    public bool IsReject => Error.IsError;
}
