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
    private readonly ListenerAuthenticator _authenticator = new(
        context.Listener, services.UserParameters, services.Passwords, context.ClientAddress, isHttp: true);

    /// <summary>The client of the request under way left before its stream was open.</summary>
    private bool _isGivenUp;

    public async ValueTask<SessionEnd> RunAsync(CancellationToken aborted)
    {
        context.Protocol = ClientProtocol.HttpForward;
        var settings = new HttpServerSettings(context.Id, context.Listener.HandshakeTimeout)
        {
            Stopping = services.Registry.Stopping,
            Descriptors = services.Descriptors,
            IsTls = context.Listener.Tls is not null,
            SessionPorts = context.Listener.SessionPorts,
            SpeaksSocks5 = context.Listener.Speaks(DetectedProtocol.Socks5),
        };
        using var http = new HttpServerConnection(client, settings, _authenticator, services.Time);
        HttpForwarder? forwarder = null;
        try
        {
            while (true)
            {
                var next = forwarder is null ? await http.ReadRequestAsync(aborted) : await forwarder.ReadRequestAsync(aborted);
                if (context.IsRefused && next.Kind == HttpServerRequestKind.Forward)
                    return await RefuseAsync(http, next, aborted);

                if (next.Kind == HttpServerRequestKind.Connect)
                {
                    if (forwarder is not null)
                        await forwarder.DisposeAsync();
                    var reply = new HttpConnectReply(http, context.Listener.TellsExit && http.Head.AsksForExit ? FindExitAsync : null);
                    return await new StreamRequest(client, context, services).ServeAsync(
                        next.Request!, _authenticator.Parameters, reply, aborted);
                }

                if (next.Kind == HttpServerRequestKind.Forward)
                {
                    forwarder ??= new HttpForwarder(http, OpenAsync, context.Counters);
                    if (await ForwardAsync(forwarder, next.Request!, aborted) is { } end)
                        return end;

                    // A wait for something else than a connection ends on the thread pool, and what follows would stay there: two changes
                    // of thread for each read and write.
                    if (!client.IsOnOwnThread)
                        await new Turn(client);
                    continue;
                }

                if (next.Kind is HttpServerRequestKind.Refused or HttpServerRequestKind.Answered)
                    Tell(Refused(next, http.HeadTime));
                if (next.IsLast || (context.IsRefused && next.Kind == HttpServerRequestKind.Answered))
                {
                    context.Fail(next.Error);
                    return new SessionEnd(next.Farewell);
                }
            }
        }
        finally
        {
            if (forwarder is not null)
                await forwarder.DisposeAsync();
        }
    }

    /// <summary>Forwards one request. Null: the client may send its next.</summary>
    private async ValueTask<SessionEnd?> ForwardAsync(HttpForwarder forwarder, ProxyRequest request, CancellationToken aborted)
    {
        HttpForwardResult result;

        // Of whoever looks at the connection; each request has a line of its own in the log.
        context.Target = request.Target;
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
            context.Upgraded = true;
        }

        if (result.GoesOn)
            return null;
        context.Fail(forwarder.Last.Error);
        return new SessionEnd(result.Farewell, result.Upgraded);
    }

    /// <summary>Tells a client of the limit that it passes; it is to come again by another connection.</summary>
    private async ValueTask<SessionEnd> RefuseAsync(HttpServerConnection http, HttpServerRequest request, CancellationToken aborted)
    {
        await http.ReplyErrorAsync(context.Error, default, aborted);
        int status = HttpStatusMapper.Map(context.Error.Cause).Status;
        Tell(Refused(request with { Error = context.Error, Status = status }, http.HeadTime));
        return new SessionEnd(ClientFarewell.Finish);
    }

    private ValueTask<string> FindExitAsync(CancellationToken cancellationToken) =>
        services.Exits.FindSoonAsync(context.Stream, services.Time, cancellationToken);

    private HttpExchange Refused(in HttpServerRequest request, long headTime) => new(
        request.Request, request.Status, request.Error,
        Elapsed: request.Request is null ? default : services.Time.GetElapsedTime(headTime));

    private async ValueTask<ConnectOutcome> OpenAsync(ProxyRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var outcome = await services.OpenAsync(context, request, _authenticator.Parameters, cancellationToken);
            context.Observe(outcome);
            return outcome;
        }
        catch (OperationCanceledException)
        {
            context.ObserveGivenUp();
            _isGivenUp = true;
            throw;
        }
    }

    /// <summary>One line for each request. Its exit is asked for before the stream is closed: after that tor forgets it.</summary>
    private void Tell(in HttpExchange exchange)
    {
        context.Requests++;
        services.Counters.Of(context.Listener).CountRequest(ClientProtocol.HttpForward, exchange.Error.Cause);
        var told = _isGivenUp ? exchange with { WorkerId = context.WorkerId, Attempts = context.Attempts } : exchange;
        _isGivenUp = false;
        context.Circuit = told.WorkerId is null ? null : services.Exits.Of(context.Stream);
        services.AccessLog.WriteRequest(context, told);
    }
}
