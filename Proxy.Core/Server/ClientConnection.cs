using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Protocols.Socks4;
using TorBalancer.Protocols.Socks5;
using TorBalancer.Routing;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>The life of one client connection: detect, read the request, decide, connect, reply, tunnel, account.</summary>
internal sealed partial class ClientConnection(
    TransportConnection client, ConnectionContext context, ConnectionServices services, ProxyListener listener, ILogger logger) : IThreadPoolWorkItem, ITunnelOwner, IDisposable
{
    // Its timer is the handshake's, and is stopped when that is over. Null once there is a tunnel, which is told otherwise.
    private CancellationTokenSource? _abort = new(context.Listener.HandshakeTimeout, services.Time);
    private volatile bool _aborted;
    private TunnelEnd _abortReason = TunnelEnd.Aborted;
    private SessionUse? _session;
    private ListenerAuthenticator _authenticator = new(context.Listener, services.UserParameters);

    // What the tunnel needs.
    private TransportConnection? _upstream;
    private WorkerLease? _lease;
    private FirstByteWatch? _watch;
    private long _sentBefore;
    private long _receivedBefore;
    private int _ended;

    public ConnectionContext Context { get; } = context;

    /// <summary>The registry's list; under its lock.</summary>
    internal ClientConnection? PreviousLive { get; set; }

    /// <inheritdoc cref="PreviousLive"/>
    internal ClientConnection? NextLive { get; set; }

    /// <summary>Cancelled when this connection is to end; until there is a tunnel.</summary>
    private CancellationToken Aborted => _abort!.Token;

    /// <summary>Ends the connection whatever it is doing; a tunnel that this cuts ends for the given reason.</summary>
    public void Abort(TunnelEnd reason)
    {
        _abortReason = reason;
        _aborted = true;
        Context.Counters.Stop();
        try
        {
            _abort?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself, or became a tunnel, since the caller saw it in the registry.
        }
    }

    void IThreadPoolWorkItem.Execute() => _ = RunAsync();

    /// <summary>
    /// Runs until the connection has ended or has become a tunnel; never throws. Nothing waits for a tunnel: a method that waits
    /// is memory, and most tunnels are idle most of the time.
    /// </summary>
    private async Task RunAsync()
    {
        try
        {
            // Everything up to the tunnel, if there is to be one.
            var (protocol, handshake, request) = await ReadHandshakeAsync();
            if (protocol == DetectedProtocol.Http && handshake is null && !Context.Error.IsError)
                await ServeHttpAsync();
            else if (request.Request is not null)
                await CarryAsync(handshake!, request.Request);
            else if (handshake is not null && !Context.Error.IsError)
                await RejectAsync(handshake, request.Error);

            if (_upstream is not null)
            {
                BeginTunnel();
                services.Transport.BeginTunnel(client, _upstream, TunnelSettings, this);
                return;
            }
        }
        catch (OperationCanceledException) when (_abort is { IsCancellationRequested: true })
        {
            SetError(new ProxyError(FailureCause.ShuttingDown));
            client.Abort();
        }
        catch (IOException)
        {
            SetError(new ProxyError(FailureCause.ClientClosed));
        }
        catch (Exception failure)
        {
            SetError(new ProxyError(FailureCause.InternalError));
            Log.Failed(logger, failure, Context.Id);
        }

        await EndAsync();
    }

    void ITunnelOwner.TunnelEnded(TunnelEnd how, Exception? fault)
    {
        try
        {
            EndTunnel(how);
            AccountForTunnel(_lease!);
        }
        catch (Exception failure)
        {
            fault ??= failure;
        }

        if (fault is not null)
        {
            SetError(new ProxyError(FailureCause.InternalError));
            Log.Failed(logger, fault, Context.Id);
        }

        _ = EndAsync();
    }

    /// <summary>Closes and accounts, once: a tunnel that could not even begin may end as well.</summary>
    private async Task EndAsync()
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        if (_upstream is not null)
            await _upstream.DisposeAsync();
        _lease?.Dispose();
        if (_farewell == ClientFarewell.None)
            await client.DisposeAsync();

        // Requests in absolute form have had their lines; a connection that never got to one still gets its own.
        if (Context.Protocol != ClientProtocol.HttpForward || Context.Upgraded || _exchanges == 0)
            services.AccessLog.Write(Context);
        if (_farewell != ClientFarewell.None)
            await LeaveAsync();
        Dispose();
        listener.Ended(this);
    }

    public void Dispose()
    {
        _watch?.Dispose();
        _abort?.Dispose();
    }

    /// <summary>
    /// Detects the protocol and reads a SOCKS request within the handshake's time; HTTP keeps its own time. The timer ends
    /// here: a tunnel may live for hours and needs none.
    /// </summary>
    private async ValueTask<(DetectedProtocol? Protocol, IClientHandshake? Handshake, HandshakeResult Request)> ReadHandshakeAsync()
    {
        IClientHandshake? handshake = null;
        try
        {
            DetectedProtocol? protocol;
            while (!ProtocolDetector.TryDetect(client.Input, await client.Input.ReadAsync(Aborted), out protocol))
            {
            }

            HandshakeResult request = default;
            if (protocol != DetectedProtocol.Http || !Context.Listener.Speaks(DetectedProtocol.Http))
            {
                handshake = CreateHandshake(protocol);
                if (handshake is null)
                    Refuse(protocol);
                else
                    request = await handshake.ReadRequestAsync(Aborted);
            }

            // It may run out in this very moment; then it was too late.
            _abort!.CancelAfter(Timeout.InfiniteTimeSpan);
            Aborted.ThrowIfCancellationRequested();
            return (protocol, handshake, request);
        }
        catch (OperationCanceledException) when (!_aborted)
        {
            SetError(new ProxyError(FailureCause.HandshakeTimeout));
            return (null, handshake, default);
        }
    }

    /// <summary>One request, one stream: SOCKS, and HTTP CONNECT. Connects and answers; the tunnel is begun when this has returned.</summary>
    private async Task CarryAsync(IClientHandshake handshake, ProxyRequest request)
    {
        Context.Protocol = request.Protocol;
        Context.Command = request.Command;
        Context.Target = request.Target;
        services.IpOnlyNotice.Observe(Context.Listener, Context.ClientAddress, request);

        long started = services.Time.GetTimestamp();
        var outcome = await ConnectWhileClientWaitsAsync(request);
        Context.ConnectTime = services.Time.GetElapsedTime(started);
        if (outcome.Error.IsError)
        {
            await RejectAsync(handshake, outcome.Error);
            return;
        }

        if (request.Command != ProxyCommand.Connect)
        {
            await handshake.ReplyResolvedAsync(outcome.Answer, Aborted);
            _farewell = ClientFarewell.Finish;
            return;
        }

        _lease = outcome.Lease;
        _upstream = outcome.Connection;
        try
        {
            await handshake.ReplyConnectedAsync(Aborted);
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException)
        {
            // The worker's stream must not look finished to the target when it was the client that left, or we that stopped.
            _upstream!.Abort();
            throw;
        }

        // What requests before a CONNECT moved on this connection is not this stream's.
        (_sentBefore, _receivedBefore) = (Context.Counters.FromClient, Context.Counters.FromUpstream);
        if (outcome.ViaLink)
            _watch = new FirstByteWatch(_lease!.Worker, Context.Counters, services.Outcomes, services.FirstByteTimeout, services.Time);
    }

    private TunnelSettings TunnelSettings => new(Context.Counters, services.TunnelIdleTimeout) { LeavesClient = true };

    /// <summary>Lets go of what only the way to the tunnel needed.</summary>
    private void BeginTunnel()
    {
        Context.IsTunnel = true;
        var abort = _abort;
        _abort = null;
        abort?.Dispose();
        _authenticator = null!;
        _session = null;
    }

    private void EndTunnel(TunnelEnd end)
    {
        Context.IsTunnel = false;

        // Asked before our side is closed: after that tor forgets the stream.
        Context.Exit = services.Exits.Of(Context.Stream);
        Context.End = end == TunnelEnd.Aborted ? _abortReason : end;
        _farewell = end switch
        {
            TunnelEnd.UpstreamClosed => ClientFarewell.Finish,
            TunnelEnd.UpstreamReset => ClientFarewell.Reset,
            _ => ClientFarewell.None,
        };
    }

    private void AccountForTunnel(WorkerLease lease)
    {
        var end = Context.End!.Value;
        long sent = Context.Counters.FromClient - _sentBefore, received = Context.Counters.FromUpstream - _receivedBefore;
        lease.Worker.CountBytes(sent, received);
        if (_watch?.Ended(end) is { IsError: true } silence)
            SetError(silence);
        else
            services.Outcomes.TunnelEnded(lease.Worker, end, sent, received);
    }

    /// <summary>How the request is to be connected, or null and why it is not.</summary>
    private ConnectPlan? Plan(ProxyRequest request, out ProxyError rejected)
    {
        var decision = services.Routes.Decide(request);
        rejected = decision.Error;
        if (decision.IsReject)
            return null;
        var owner = new ConnectionOwner(Context.Listener.Name, Context.ClientAddress, request.Credentials, _authenticator.Parameters, 0);
        return services.Planner.Plan(request, owner, Context.Listener.Mode, Context.Listener.Isolation, decision.Route);
    }

    private void Observe(ConnectPlan plan, ConnectOutcome outcome)
    {
        Context.WorkerId = outcome.WorkerId;
        Context.Attempts = outcome.Attempts;
        Context.ViaLink = outcome.ViaLink;
        _session = plan.Session;
        Context.Stream = outcome.Connection is { } upstream && outcome.Lease!.Worker.Model.ControlEndPoint is not null
            ? new StreamKey(outcome.WorkerId!, outcome.Password, (upstream.LocalEndPoint as IPEndPoint)?.Port, plan.Request.Target)
            : null;
    }

    private IClientHandshake? CreateHandshake(DetectedProtocol? protocol) => protocol switch
    {
        DetectedProtocol.Socks5 when Context.Listener.Speaks(DetectedProtocol.Socks5) =>
            Named(ClientProtocol.Socks5, new Socks5ServerHandshake(client, _authenticator, Context.Listener.ExtendedErrors)),
        DetectedProtocol.Socks4 when Context.Listener.Speaks(DetectedProtocol.Socks4) =>
            Named(ClientProtocol.Socks4, new Socks4ServerHandshake(client, _authenticator)),
        _ => null,
    };

    private IClientHandshake Named(ClientProtocol protocol, IClientHandshake handshake)
    {
        Context.Protocol = protocol;
        return handshake;
    }

    private void Refuse(DetectedProtocol? protocol)
    {
        SetError(protocol switch
        {
            null => new ProxyError(FailureCause.ClientClosed),
            DetectedProtocol.Unknown or DetectedProtocol.Tls => new ProxyError(FailureCause.BadRequest, "neither SOCKS nor HTTP"),
            _ => new ProxyError(FailureCause.ProtocolDisabled),
        });
        if (protocol == DetectedProtocol.Tls)
            Log.Tls(logger, Context.Listener.Name);
    }

    private async Task RejectAsync(IClientHandshake handshake, ProxyError error)
    {
        SetError(error);
        if (error.Cause == FailureCause.BadUserParameters)
            Log.Refused(logger, Context.Id, error.Detail ?? "");
        if (error.Cause == FailureCause.ClientClosed)
            return;
        if (handshake is HttpConnectHandshake http)
            http.Info = new HttpReplyInfo(Context.WorkerId, Context.Attempts);
        await handshake.ReplyErrorAsync(error, Aborted);
        _farewell = ClientFarewell.Finish;
    }

    /// <summary>The first cause stays: what follows is its consequence.</summary>
    private void SetError(ProxyError error)
    {
        if (!Context.Error.IsError)
            Context.Error = error;
    }

    private static partial class Log
    {
        [LoggerMessage(ServerEventIds.ConnectionFailed, LogLevel.Error, "Connection {Id} failed by a fault of ours")]
        public static partial void Failed(ILogger logger, Exception failure, string id);

        [LoggerMessage(ServerEventIds.ClientRefused, LogLevel.Warning, "Connection {Id} was refused: {Detail}")]
        public static partial void Refused(ILogger logger, string id, string detail);

        [LoggerMessage(ServerEventIds.TlsOnPlainPort, LogLevel.Warning, "A client of listener {Listener} speaks TLS to the proxy itself; its setting should say http://, not https://")]
        public static partial void Tls(ILogger logger, string listener);
    }
}
