using TorBalancer.Primitives;

namespace TorBalancer.Protocols;

/// <summary>
/// The client's side of a request: reading it and answering it are apart, because the answer is sent after the
/// worker's, never before.
/// </summary>
internal interface IClientHandshake
{
    /// <summary>
    /// Reads the whole request. On an error the client has not been told yet (except inside an authentication exchange,
    /// which has its own answer): <see cref="ReplyErrorAsync"/> does it.
    /// </summary>
    ValueTask<HandshakeResult> ReadRequestAsync(CancellationToken cancellationToken);

    /// <summary>Tells the client that its stream is open.</summary>
    ValueTask ReplyConnectedAsync(CancellationToken cancellationToken);

    /// <summary>Answers RESOLVE or RESOLVE_PTR.</summary>
    ValueTask ReplyResolvedAsync(HostEndPoint answer, CancellationToken cancellationToken);

    /// <summary>Tells the client what failed, as truthfully as its protocol can.</summary>
    ValueTask ReplyErrorAsync(ProxyError error, CancellationToken cancellationToken);
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

    /// <summary>No error when these credentials (null: none were sent) may go on. Also checks the user parameters.</summary>
    ProxyError Check(ClientCredentials? credentials);
}
