using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>Answers CONNECT (RFC 9110, section 9.3.6).</summary>
internal sealed class HttpConnectReply(HttpServerConnection http) : IClientReply
{
    public async ValueTask ReplyConnectedAsync(CancellationToken cancellationToken)
    {
        if (!await http.ReplyConnectedAsync(cancellationToken))
            throw new IOException("the client is gone");
    }

    public ValueTask ReplyErrorAsync(ProxyError error, ReplyInfo info, CancellationToken cancellationToken) =>
        http.ReplyErrorAsync(error, info, cancellationToken);
}
