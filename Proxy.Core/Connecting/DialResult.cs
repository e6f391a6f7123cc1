using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Connecting;

/// <summary>One attempt at one worker: an open stream, an answer (RESOLVE), or an error.</summary>
internal readonly record struct DialResult(TransportConnection? Connection, HostEndPoint Answer, ProxyError Error)
{
    public static DialResult Failed(FailureCause cause, string? detail = null) => new(null, default, new ProxyError(cause, detail));
}
