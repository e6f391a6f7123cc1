using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>Answers CONNECT (RFC 9110, section 9.3.6).</summary>
/// <param name="http">The client.</param>
/// <param name="exit">
/// Finds the exit that carries the connection, for a client that has asked by a field TorBalancer-Exit and may know; the answer has it in
/// a field of the same name. Null: nothing is told.
/// </param>
internal sealed class HttpConnectReply(HttpServerConnection http, Func<CancellationToken, ValueTask<string>>? exit = null) : IClientReply
{
    public async ValueTask ReplyConnectedAsync(CancellationToken cancellationToken)
    {
        string? found = exit is null ? null : await exit(cancellationToken);
        if (!await http.ReplyConnectedAsync(found, cancellationToken))
            throw new IOException("the client is gone");
    }

    public ValueTask ReplyErrorAsync(ProxyError error, ReplyInfo info, CancellationToken cancellationToken) =>
        http.ReplyErrorAsync(error, info, cancellationToken);
}
