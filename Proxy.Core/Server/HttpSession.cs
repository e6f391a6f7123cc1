using TorBalancer.Connecting;
using TorBalancer.Forwarding;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>
/// HTTP on one client connection: requests in absolute form, one after the other, each forwarded over a stream of its own host; then
/// perhaps one CONNECT, or an upgrade, which makes it a tunnel.
/// </summary>
internal sealed class HttpSession(TransportConnection client, ConnectionContext context, ConnectionServices services) : IClientSession
{
    private readonly ListenerAuthenticator _authenticator = new(context.Listener, services.UserParameters);

    public async ValueTask<SessionEnd> RunAsync(CancellationToken aborted)
    {
        context.Protocol = ClientProtocol.HttpForward;
        var settings = new HttpServerSettings(context.Id, context.Listener.HandshakeTimeout) { Stopping = services.Registry.Stopping, Descriptors = services.Descriptors };
        using var http = new HttpServerConnection(client, settings, _authenticator, services.Time);
        var next = await http.ReadRequestAsync(aborted);
        while (true)
        {
            switch (next.Kind)
            {
                case HttpServerRequestKind.Connect:
                    return await new StreamRequest(client, context, services).ServeAsync(next.Request!, _authenticator.Parameters, new HttpConnectReply(http), aborted);

                case HttpServerRequestKind.Forward:
                    (var end, next) = await ForwardAsync(http, next.Request!, aborted);
                    if (end is { } over)
                        return over;
                    break;

                case HttpServerRequestKind.Refused:
                    Tell(new HttpExchange(next.Request, next.Status, next.Error, Elapsed: next.Request is null ? default : services.Time.GetElapsedTime(http.HeadTime)));
                    if (next.IsLast)
                        goto default;
                    next = await http.ReadRequestAsync(aborted);
                    break;

                default:
                    context.Fail(next.Error);
                    return new SessionEnd(next.Farewell);
            }
        }
    }

    /// <summary>Forwards requests until the client wants something else, or the connection is to end.</summary>
    private async ValueTask<(SessionEnd? End, HttpServerRequest Next)> ForwardAsync(HttpServerConnection http, ProxyRequest request, CancellationToken aborted)
    {
        await using var forwarder = new HttpForwarder(http, OpenAsync, context.Counters);
        while (true)
        {
            HttpForwardResult result;
            try
            {
                result = await forwarder.ForwardAsync(request, aborted);
            }
            finally
            {
                Tell(forwarder.Last);
            }

            if (result.Upgraded is not null)
            {
                // A WebSocket, mostly: the log gets a line of its own for it when it ends.
                context.Target = request.Target;
                context.Upgraded = true;
            }

            if (!result.GoesOn)
            {
                context.Fail(forwarder.Last.Error);
                return (new SessionEnd(result.Farewell, result.Upgraded), default);
            }

            var next = await forwarder.ReadRequestAsync(aborted);
            if (next.Kind != HttpServerRequestKind.Forward)
                return (null, next);
            request = next.Request!;
        }
    }

    private async ValueTask<ConnectOutcome> OpenAsync(ProxyRequest request, CancellationToken cancellationToken)
    {
        var outcome = await services.Opener.OpenAsync(
            request, context.Owner(request.Credentials, _authenticator.Parameters), context.Listener.Mode, context.Listener.Isolation, cancellationToken);
        context.Observe(outcome);
        return outcome;
    }

    /// <summary>One line for each request. Its exit is asked for before the stream is closed: after that tor forgets it.</summary>
    private void Tell(in HttpExchange exchange)
    {
        context.Requests++;
        services.AccessLog.WriteRequest(context, exchange, exchange.WorkerId is null ? null : services.Exits.Of(context.Stream));
    }
}
