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

namespace TorBalancer.Server;

/// <summary>The life of one client connection: detect, read the request, decide, connect, reply, tunnel, account.</summary>
internal sealed partial class ClientConnection(
    TransportConnection client, ConnectionContext context, ConnectionServices services, ILogger logger) : IAsyncDisposable
{
    // Its timer is the handshake's, and is stopped when that is over.
    private readonly CancellationTokenSource _abort = new(context.Listener.HandshakeTimeout, services.Time);
    private volatile bool _aborted;
    private TunnelEnd _abortReason = TunnelEnd.Aborted;
    private SessionUse? _session;
    private readonly ListenerAuthenticator _authenticator = new(context.Listener, services.UserParameters);

    public ConnectionContext Context { get; } = context;

    /// <summary>Ends the connection whatever it is doing; a tunnel that this cuts ends for the given reason.</summary>
    public void Abort(TunnelEnd reason)
    {
        _abortReason = reason;
        _aborted = true;
        try
        {
            _abort.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself since the caller saw it in the registry.
        }
    }

    /// <summary>Runs to the end; never throws. The connection is closed and accounted for when it completes.</summary>
    /// <param name="stopping">Cancelled when the daemon drains: no further request is taken on this connection.</param>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await ServeAsync(stopping);
        }
        catch (OperationCanceledException) when (_abort.IsCancellationRequested)
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
        finally
        {
            await client.DisposeAsync();

            // Requests in absolute form have had their lines; a connection that never got to one still gets its own.
            if (Context.Protocol != ClientProtocol.HttpForward || Context.Upgraded || _exchanges == 0)
                services.AccessLog.Write(Context);
        }
    }

    public ValueTask DisposeAsync()
    {
        _abort.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task ServeAsync(CancellationToken stopping)
    {
        var (protocol, handshake, request) = await ReadHandshakeAsync();
        if (protocol == DetectedProtocol.Http && handshake is null && !Context.Error.IsError)
            await ServeHttpAsync(stopping);
        else if (request.Request is not null)
            await CarryAsync(handshake!, request.Request);
        else if (handshake is not null && !Context.Error.IsError)
            await RejectAsync(handshake, request.Error);
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
            var protocol = await ProtocolDetector.DetectAsync(client, _abort.Token);
            HandshakeResult request = default;
            if (protocol != DetectedProtocol.Http || !Context.Listener.Speaks(DetectedProtocol.Http))
            {
                handshake = CreateHandshake(protocol);
                if (handshake is null)
                    Refuse(protocol);
                else
                    request = await handshake.ReadRequestAsync(_abort.Token);
            }

            // It may run out in this very moment; then it was too late.
            _abort.CancelAfter(Timeout.InfiniteTimeSpan);
            _abort.Token.ThrowIfCancellationRequested();
            return (protocol, handshake, request);
        }
        catch (OperationCanceledException) when (!_aborted)
        {
            SetError(new ProxyError(FailureCause.HandshakeTimeout));
            return (null, handshake, default);
        }
    }

    /// <summary>One request, one stream: SOCKS, and HTTP CONNECT.</summary>
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
            await handshake.ReplyResolvedAsync(outcome.Answer, _abort.Token);
            await LingerAsync();
            return;
        }

        using var lease = outcome.Lease!;
        await using var upstream = outcome.Connection!;
        try
        {
            await handshake.ReplyConnectedAsync(_abort.Token);
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException)
        {
            // The worker's stream must not look finished to the target when it was the client that left, or we that stopped.
            upstream.Abort();
            throw;
        }

        // What requests before a CONNECT moved on this connection is not this stream's.
        long sent = Context.Counters.FromClient, received = Context.Counters.FromUpstream;
        var silence = default(ProxyError);
        using (var watch = outcome.ViaLink ? new FirstByteWatch(lease.Worker, Context.Counters, services.Outcomes, services.FirstByteTimeout, services.Time) : null)
        {
            await TunnelAsync(upstream);
            if (watch is not null)
                silence = watch.Ended(Context.End!.Value);
        }

        (sent, received) = (Context.Counters.FromClient - sent, Context.Counters.FromUpstream - received);
        lease.Worker.CountBytes(sent, received);
        if (silence.IsError)
            SetError(silence);
        else
            services.Outcomes.TunnelEnded(lease.Worker, Context.End!.Value, sent, received);
    }

    private async Task TunnelAsync(TransportConnection upstream)
    {
        var settings = new TunnelSettings(Context.Counters, services.TunnelIdleTimeout);
        Context.IsTunnel = true;
        var end = await services.Transport.TunnelAsync(client, upstream, settings, _abort.Token);
        Context.IsTunnel = false;

        // Asked before our side is closed: after that tor forgets the stream.
        Context.Exit = services.Exits.Of(Context.Stream);
        Context.End = end == TunnelEnd.Aborted ? _abortReason : end;
    }

    private async ValueTask<ConnectOutcome> ConnectAsync(ProxyRequest request, CancellationToken cancellationToken)
    {
        var decision = services.Routes.Decide(request);
        if (decision.IsReject)
            return new ConnectOutcome(null, null, default, decision.Error, 0, null);
        var owner = new ConnectionOwner(Context.Listener.Name, Context.ClientAddress, request.Credentials, _authenticator.Parameters, 0);
        var plan = services.Planner.Plan(request, owner, Context.Listener.Mode, Context.Listener.Isolation, decision.Route);
        var outcome = await services.Connector.ConnectAsync(plan, cancellationToken);
        Context.WorkerId = outcome.WorkerId;
        Context.Attempts = outcome.Attempts;
        Context.ViaLink = outcome.ViaLink;
        _session = plan.Session;
        Context.Stream = outcome.Connection is { } upstream && outcome.Lease!.Worker.Model.ControlEndPoint is not null
            ? new StreamKey(outcome.WorkerId!, outcome.Password, (upstream.LocalEndPoint as IPEndPoint)?.Port, request.Target)
            : null;
        return outcome;
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
            Log.Refused(logger, Context.Id, Printable(error.Detail ?? ""));
        if (error.Cause == FailureCause.ClientClosed)
            return;
        if (handshake is HttpConnectHandshake http)
            http.Info = new HttpReplyInfo(Context.WorkerId, Context.Attempts);
        await handshake.ReplyErrorAsync(error, _abort.Token);

        // HTTP does so by itself, with its own bounds.
        if (handshake is not HttpConnectHandshake)
            await LingerAsync();
    }

    /// <summary>
    /// Closing with unread input makes the kernel send RST, which can overtake the answer. So: FIN first, then what the
    /// client still sends is read and dropped, within bounds.
    /// </summary>
    private async Task LingerAsync()
    {
        const int maxBytes = 64 * 1024;
        client.ShutdownSend();
        using var timer = new CancellationTokenSource(TimeSpan.FromSeconds(2), services.Time);
        using var token = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, _abort.Token);
        try
        {
            long dropped = 0;
            while (dropped < maxBytes)
            {
                var result = await client.Input.ReadAsync(token.Token);
                dropped += result.Buffer.Length;
                client.Input.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                    return;
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException)
        {
            // It had its answer and its time.
        }
    }

    /// <summary>The detail repeats what the client sent, and a line of the log must stay one line.</summary>
    private static string Printable(string text) => string.Create(text.Length, text, static (output, input) =>
    {
        for (int i = 0; i < input.Length; i++)
            output[i] = char.IsControl(input[i]) ? '?' : input[i];
    });

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
