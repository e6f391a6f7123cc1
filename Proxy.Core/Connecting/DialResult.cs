using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Connecting;

/// <summary>One attempt at one worker: an open stream, an answer (RESOLVE), or an error.</summary>
/// <param name="ViaLink">
/// The stream goes over the worker's WireGuard link. A TransPort takes every connection at once, so an open stream says
/// nothing of the network behind it: that shows at the first byte.
/// </param>
/// <param name="IsProven">The network behind the worker has answered in this attempt: to CONNECT, or to a name that was asked for.</param>
internal sealed record DialResult(
    TransportConnection? Connection, HostEndPoint Answer, ProxyError Error, bool ViaLink = false, bool IsProven = true)
{
    /// <summary>Nothing was learned; never the end of an attempt.</summary>
    public static readonly DialResult Nothing = new(null, default, default, IsProven: false);

    /// <summary>The worker has answered its greeting and never read what came behind it; never the end of an attempt.</summary>
    public static readonly DialResult RequestLost = new(null, default, default, IsProven: false);

    public static DialResult Failed(FailureCause cause, string? detail = null) => new(null, default, new ProxyError(cause, detail));
}
