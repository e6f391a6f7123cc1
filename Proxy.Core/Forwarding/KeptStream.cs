using TorBalancer.Connecting;
using TorBalancer.Protocols;

namespace TorBalancer.Forwarding;

/// <summary>
/// A stream to an origin, and whose it is: it may carry further requests of the same client to the same origin (RFC 9112, section 9.3).
/// </summary>
/// <param name="Stream">It has begun.</param>
/// <param name="Request">What it was opened for.</param>
/// <param name="Session">The session that it is of, or null.</param>
internal sealed record KeptStream(WorkerStream Stream, ProxyRequest Request, SessionUse? Session)
{
    /// <summary>
    /// True for the same target, credentials and isolation, as long as neither the session nor the worker's state asks for another stream.
    /// The same credentials ask for the same parameters.
    /// </summary>
    public bool MayCarry(ProxyRequest next) =>
        Request.Target == next.Target
            && Request.Credentials == next.Credentials
            && Request.Isolation == next.Isolation
            && Session is null or { MayBeShared: true }
            && Stream.Worker.IsEligible;
}
