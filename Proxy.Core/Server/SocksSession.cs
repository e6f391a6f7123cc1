using TorBalancer.Protocols;
using TorBalancer.Protocols.Socks4;
using TorBalancer.Protocols.Socks5;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>SOCKS on one client connection: one request, which is a stream (CONNECT) or a question (RESOLVE, RESOLVE_PTR).</summary>
internal sealed class SocksSession : IClientSession
{
    private readonly TransportConnection _client;
    private readonly ConnectionContext _context;
    private readonly ConnectionServices _services;
    private readonly ListenerAuthenticator _authenticator;
    private readonly IClientHandshake _handshake;

    /// <param name="protocol">SOCKS5 or SOCKS4.</param>
    public SocksSession(DetectedProtocol protocol, TransportConnection client, ConnectionContext context, ConnectionServices services)
    {
        (_client, _context, _services) = (client, context, services);
        _authenticator = new ListenerAuthenticator(context.Listener, services.UserParameters, services.Passwords, context.ClientAddress);
        (_handshake, context.Protocol) = protocol == DetectedProtocol.Socks5
            ? (new Socks5ServerHandshake(client, _authenticator, context.Listener.ExtendedErrors), ClientProtocol.Socks5)
            : ((IClientHandshake)new Socks4ServerHandshake(client, _authenticator), ClientProtocol.Socks4);
    }

    /// <summary>
    /// What <see cref="ReadRequestAsync"/> gave to the caller, who puts it here: waiting in here would cost every connection memory.
    /// </summary>
    public HandshakeResult Request { get; set; }

    /// <summary>Reads the request; its time limit is the caller's.</summary>
    public ValueTask<HandshakeResult> ReadRequestAsync(CancellationToken cancellationToken) =>
        _handshake.ReadRequestAsync(cancellationToken);

    public ValueTask<SessionEnd> RunAsync(CancellationToken aborted)
    {
        var stream = new StreamRequest(_client, _context, _services);
        if (Request.Request is not { } request)
            return stream.RejectAsync(_handshake, Request.Error, aborted);
        return request.Command == ProxyCommand.Connect
            ? stream.ServeAsync(request, _authenticator.Parameters, _handshake, aborted)
            : ResolveAsync(stream, request, aborted);
    }

    private async ValueTask<SessionEnd> ResolveAsync(StreamRequest stream, ProxyRequest request, CancellationToken aborted)
    {
        var outcome = await stream.OpenAsync(request, _authenticator.Parameters, aborted);
        if (outcome.Error.IsError)
            return await stream.RejectAsync(_handshake, outcome.Error, aborted);
        await _handshake.ReplyResolvedAsync(outcome.Answer, aborted);
        return new SessionEnd(ClientFarewell.Finish);
    }
}
