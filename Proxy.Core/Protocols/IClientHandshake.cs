using TorBalancer.Primitives;

namespace TorBalancer.Protocols;

/// <summary>
/// The client's side of a request that is one message or a few (SOCKS): it is read, and answered when the worker has answered.
/// </summary>
internal interface IClientHandshake : IClientReply
{
    /// <summary>
    /// Reads the whole request. On an error the client has not been told yet (except inside an authentication exchange,
    /// which has its own answer): <see cref="IClientReply.ReplyErrorAsync"/> does it.
    /// </summary>
    ValueTask<HandshakeResult> ReadRequestAsync(CancellationToken cancellationToken);

    /// <summary>Answers RESOLVE or RESOLVE_PTR.</summary>
    ValueTask ReplyResolvedAsync(HostEndPoint answer, CancellationToken cancellationToken);
}

/// <summary>A request, or why there is none.</summary>
internal readonly record struct HandshakeResult(ProxyRequest? Request, ProxyError Error)
{
    public static implicit operator HandshakeResult(ProxyError error) => new(null, error);

    public static implicit operator HandshakeResult(ProxyRequest request) => new(request, default);
}

/// <summary>Decides who may use a listener; asked as soon as the credentials are known.</summary>
internal interface IClientAuthenticator
{
    /// <summary>True when a client without credentials is refused.</summary>
    bool RequiresCredentials { get; }

    /// <summary>
    /// Says at once whether these credentials (null: none were sent) may go on: no error when they may. Also checks the user parameters.
    /// False: a password has to be hashed for the answer, which <see cref="CheckAsync"/> does. Without a password it is always true.
    /// </summary>
    bool TryCheck(ClientCredentials? credentials, out ProxyError error);

    /// <summary>The answer where <see cref="TryCheck"/> has none. It bounds its time by itself.</summary>
    ValueTask<ProxyError> CheckAsync(ClientCredentials credentials, CancellationToken cancellationToken);
}
