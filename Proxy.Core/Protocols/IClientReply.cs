using TorBalancer.Primitives;

namespace TorBalancer.Protocols;

/// <summary>
/// How a client is answered that has asked for a stream: after the worker has answered, never before. Throws <see cref="IOException"/>
/// when the client is gone.
/// </summary>
internal interface IClientReply
{
    /// <summary>Tells the client that its stream is open.</summary>
    ValueTask ReplyConnectedAsync(CancellationToken cancellationToken);

    /// <summary>Tells the client what failed, as truthfully as its protocol can.</summary>
    ValueTask ReplyErrorAsync(ProxyError error, ReplyInfo info, CancellationToken cancellationToken);
}
