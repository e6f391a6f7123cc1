using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>HTTP on this connection: CONNECT is one request and one stream; absolute-form requests come one after the other.</summary>
internal sealed partial class ClientConnection : IUpstreamSource, IHttpExchangeObserver
{
    private WorkerState? _lastWorker;
    private bool _lastViaLink;
    private int _exchanges;

    async ValueTask<UpstreamResult> IUpstreamSource.ConnectAsync(ProxyRequest request, CancellationToken cancellationToken)
    {
        _lastViaLink = false;
        if (Plan(request, out var rejected) is not { } plan)
            return new UpstreamResult(null, rejected, 0, null);
        var outcome = await services.Connector.ConnectAsync(plan, cancellationToken);
        Observe(plan, outcome);
        _lastViaLink = outcome is { ViaLink: true, Connection: not null };
        if (outcome.Connection is null)
            return new UpstreamResult(null, outcome.Error, outcome.Attempts, outcome.WorkerId);
        _lastWorker = outcome.Lease!.Worker;
        return new UpstreamResult(new Upstream(outcome.Connection, outcome.Lease, outcome.Attempts), default, outcome.Attempts, outcome.WorkerId);
    }

    bool IUpstreamSource.MayReuse(ProxyRequest earlier, ProxyRequest next) =>
        earlier.Target == next.Target
        && earlier.Credentials == next.Credentials
        && _authenticator.Parameters is { RotateAfterUses: null, SessionLifetime: null }
        && _session is not { IsOver: true }
        && _lastWorker is { IsEligible: true };

    void IHttpExchangeObserver.OnExchange(in HttpExchange exchange)
    {
        _exchanges++;
        _lastWorker?.CountBytes(exchange.BytesFromClient, exchange.BytesFromUpstream);
        if (_lastViaLink && exchange.WorkerId is not null)
            AccountForLink(exchange);
        services.AccessLog.WriteRequest(Context, new AccessRequest(
            _exchanges, exchange.Request?.Target, exchange.WorkerId, exchange.WorkerId is null ? null : services.Exits.Of(Context.Stream), exchange.Attempts, exchange.ConnectTime, exchange.Elapsed, exchange.BytesFromClient,
            exchange.BytesFromUpstream, exchange.Status, exchange.Error.Cause));
    }

    /// <summary>
    /// Over a link the answer is the first that is heard of the network behind the worker. That a kept connection closes instead
    /// of answering is every origin's right, and it had its first byte long ago.
    /// </summary>
    private void AccountForLink(in HttpExchange exchange)
    {
        if (exchange.BytesFromUpstream > 0)
            services.Outcomes.DialSucceeded(_lastWorker!, exchange.Elapsed);
        else if (!exchange.Reused && exchange.Error.Cause == FailureCause.TargetClosed)
            services.Outcomes.DialFailed(_lastWorker!, new ProxyError(FailureCause.NoFirstByte, exchange.Error.Detail));
    }

    private async Task ServeHttpAsync()
    {
        Context.Protocol = ClientProtocol.HttpForward;
        var settings = new HttpServerSettings(Context.Id, Context.Listener.HandshakeTimeout) { Stopping = listener.Stopping, Descriptors = services.Descriptors };
        using var http = new HttpServerHandshake(client, settings, _authenticator.Check, this, services.Time);
        var request = await http.ReadRequestAsync(Aborted);
        if (request.Kind == HttpServerRequestKind.Forward)
        {
            await ForwardAsync(http, request);
            return;
        }

        if (request.Kind == HttpServerRequestKind.Connect)
        {
            await CarryAsync(new HttpConnectHandshake(http), request.Request!);
            return;
        }

        SetError(request.Error);
        _farewell = request.Farewell;
    }

    private async Task ForwardAsync(HttpServerHandshake http, HttpServerRequest first)
    {
        var outcome = await new HttpForwarder(http, this, Context.Counters).RunAsync(first, Aborted);
        SetError(outcome.Error);
        _farewell = outcome.Farewell;
        if (outcome.Kind == HttpForwardOutcomeKind.Connect)
        {
            await CarryAsync(new HttpConnectHandshake(http), outcome.Request!);
        }
        else if (outcome.Kind == HttpForwardOutcomeKind.Tunnel)
        {
            // An upgraded connection (WebSocket): the log gets a line of its own for it when it ends.
            await using var upstream = outcome.Upstream!;
            Context.Target = outcome.Request!.Target;
            Context.Upgraded = true;
            long sent = Context.Counters.FromClient, received = Context.Counters.FromUpstream;
            BeginTunnel();
            EndTunnel(await services.Transport.TunnelAsync(client, upstream.Connection, TunnelSettings));
            _lastWorker?.CountBytes(Context.Counters.FromClient - sent, Context.Counters.FromUpstream - received);
        }
    }

    /// <summary>CONNECT seen as any other handshake whose request has been read.</summary>
    private sealed class HttpConnectHandshake(HttpServerHandshake http) : IClientHandshake
    {
        public HttpReplyInfo Info { get; set; }

        public ValueTask<HandshakeResult> ReadRequestAsync(CancellationToken cancellationToken) => throw new NotSupportedException("the request has been read");

        public async ValueTask ReplyConnectedAsync(CancellationToken cancellationToken)
        {
            if (!await http.ReplyConnectedAsync(cancellationToken))
                throw new IOException("the client is gone");
        }

        public ValueTask ReplyResolvedAsync(HostEndPoint answer, CancellationToken cancellationToken) => throw new NotSupportedException("HTTP has no RESOLVE");

        public async ValueTask ReplyErrorAsync(ProxyError error, CancellationToken cancellationToken) => await http.ReplyErrorAsync(error, Info, cancellationToken);
    }

    /// <summary>An upstream connection with the lease that it lives on.</summary>
    private sealed class Upstream(TransportConnection connection, WorkerLease lease, int attempts) : IUpstream
    {
        public TransportConnection Connection { get; } = connection;

        public string WorkerId => lease.Worker.Id;

        public int Attempts { get; } = attempts;

        public async ValueTask DisposeAsync()
        {
            lease.Dispose();
            await Connection.DisposeAsync();
        }
    }
}
