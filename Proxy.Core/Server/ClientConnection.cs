using System.Net.Security;
using Microsoft.Extensions.Logging;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Transport;
using TorBalancer.Transport.Tls;

namespace TorBalancer.Server;

/// <summary>
/// The life of one client connection: detect what it speaks, hand it to a session, tunnel what the session has opened, end. What is to be
/// done in between is <see cref="SocksSession"/>, <see cref="HttpSession"/> and <see cref="TransparentSession"/>.
/// </summary>
internal sealed partial class ClientConnection(
    TransportConnection client, ConnectionContext context, ConnectionServices services, ListenerPlaces places)
    : LiveConnection(context), IThreadPoolWorkItem, ITunnelOwner, IDisposable
{
    // Its timer is the handshake's, and is stopped when that is over. Null once there is a tunnel, which is told otherwise.
    private CancellationTokenSource? _abort = new(context.Listener.HandshakeTimeout, services.Time);
    private volatile bool _aborted, _givesWay;
    private TunnelEnd _abortReason = TunnelEnd.Aborted;
    private ClientFarewell _farewell;
    private WorkerStream? _stream;
    private int _ended;

    // As it was when the client came: a reload may have forgotten it before the handshake.
    private readonly SslServerAuthenticationOptions? _tls =
        context.Listener.Tls is { } files ? services.Certificates.Find(files) : null;

    // It was accepted to be told of a limit: its place is not one of those that let in.
    private readonly bool _hasRefusalsPlace = context.IsRefused;

    // A balancer that speaks for itself: most likely it only looks whether somebody is here.
    private bool _isBalancersOwn;

    /// <summary>Cancelled when this connection is to end; until there is a tunnel.</summary>
    private CancellationToken Aborted => _abort!.Token;

    public override void Abort(TunnelEnd reason)
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

    public override void GiveWay()
    {
        if (Context.HasRequest)
            return;
        _givesWay = true;
        try
        {
            _abort?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself since the caller saw it in the registry.
        }
    }

    public override void CountBytes() => Context.Counters.Account?.CountBytes();

    void IThreadPoolWorkItem.Execute() => _ = RunAsync();

    /// <summary>
    /// Runs until the connection has ended or has become a tunnel; never throws. Nothing waits for a tunnel: a method that waits
    /// is memory, and most tunnels are idle most of the time.
    /// </summary>
    private async Task RunAsync()
    {
        try
        {
            if (await BeginSessionAsync() is { } session)
            {
                var end = await session.RunAsync(Aborted);
                _farewell = end.Farewell;
                if (end.Stream is not null)
                {
                    Volatile.Write(ref _stream, end.Stream);
                    BeginTunnel(end.Stream);
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (_abort is { IsCancellationRequested: true })
        {
            Context.Fail(new ProxyError(
                _givesWay && !_aborted ? FailureCause.HandshakeTimeout
                : _aborted && _abortReason == TunnelEnd.Aborted ? FailureCause.ClosedByOperator : FailureCause.ShuttingDown));
            client.Abort();
        }
        catch (IOException)
        {
            Context.Fail(new ProxyError(FailureCause.ClientClosed));
        }
        catch (Exception failure)
        {
            Context.Fail(new ProxyError(FailureCause.InternalError));
            Log.Failed(services.Logger, failure, Context.Id);
        }

        await EndAsync();
    }

    /// <summary>
    /// Detects the protocol and reads a SOCKS request within the handshake's time; HTTP keeps its own time. The timer ends
    /// here: a tunnel may live for hours and needs none. Null: the connection is to end.
    /// </summary>
    private async ValueTask<IClientSession?> BeginSessionAsync()
    {
        try
        {
            // Not a byte need come from such a client before it hears something from its target.
            if (Context.Listener.IsTransparent)
            {
                Context.Protocol = ClientProtocol.Transparent;
                _abort!.CancelAfter(Timeout.InfiniteTimeSpan);
                Aborted.ThrowIfCancellationRequested();
                return new TransparentSession(client, Context, services);
            }

            if (Context.Listener.ProxyProtocol is { } balancers && balancers.Contains(Context.ClientAddress)
                && !await TakeProxyHeaderAsync())
                return null;
            if (Context.Listener.Tls is not null && !await TakeTlsAsync())
                return null;

            DetectedProtocol? protocol;
            while (!ProtocolDetector.TryDetect(client.Input, await client.Input.ReadAsync(Aborted), out protocol))
            {
            }

            IClientSession? session = null;
            if (protocol is not { } spoken || !Context.Listener.Speaks(spoken))
            {
                Refuse(protocol);
            }
            else if (_isBalancersOwn && !AdmitClient())
            {
                // It is cut.
            }
            else if (spoken == DetectedProtocol.Http)
            {
                session = new HttpSession(client, Context, services);
            }
            else
            {
                var socks = new SocksSession(spoken, client, Context, services);
                socks.Request = await socks.ReadRequestAsync(Aborted);
                session = socks;
            }

            // It may run out in this very moment; then it was too late.
            _abort!.CancelAfter(Timeout.InfiniteTimeSpan);
            Aborted.ThrowIfCancellationRequested();
            return session;
        }
        catch (OperationCanceledException) when (!_aborted)
        {
            Context.Fail(new ProxyError(FailureCause.HandshakeTimeout));
            return null;
        }
    }

    private void Refuse(DetectedProtocol? protocol)
    {
        Context.Fail(protocol switch
        {
            null => new ProxyError(FailureCause.ClientClosed),
            DetectedProtocol.Unknown or DetectedProtocol.Tls or DetectedProtocol.ProxyHeader =>
                new ProxyError(FailureCause.BadRequest, "neither SOCKS nor HTTP"),
            _ => new ProxyError(FailureCause.ProtocolDisabled),
        });
        if (protocol == DetectedProtocol.Tls)
            Log.Tls(services.Logger, Context.Listener.Name);
        else if (protocol == DetectedProtocol.ProxyHeader)
            Log.UnaskedHeader(services.Logger, Context.Listener.Name);
    }

    private void BeginTunnel(WorkerStream stream)
    {
        // Only the way to the tunnel needed it.
        var abort = _abort;
        _abort = null;
        abort?.Dispose();
        Context.IsTunnel = true;
        var settings = new TunnelSettings(Context.Counters, services.TunnelIdleTimeout.Value) { LeavesClient = true };
        if (client is TlsConnection tls)
            _ = new TlsTunnel(tls, stream.Connection, settings, services.Time, this).RunAsync();
        else
            services.Transport.BeginTunnel(client, stream.Connection, settings, this);
    }

    void ITunnelOwner.TunnelEnded(TunnelEnd how, Exception? fault)
    {
        try
        {
            Context.IsTunnel = false;

            // Asked before our side is closed: after that tor forgets the stream.
            Context.Circuit = services.Exits.Of(Context.Stream);
            Context.End = how == TunnelEnd.Aborted ? _abortReason : how;
            _farewell = how switch
            {
                TunnelEnd.UpstreamClosed => ClientFarewell.Finish,
                TunnelEnd.UpstreamReset => ClientFarewell.Reset,

                // The kernel delivers a FIN by itself, but not what goes before it: a slow client's buffer may have no room for that yet.
                TunnelEnd.Finished when client is TlsConnection => ClientFarewell.Finish,
                _ => ClientFarewell.None,
            };
            Context.Fail(_stream!.End(Context.End.Value));
        }
        catch (Exception failure)
        {
            fault ??= failure;
        }

        if (fault is not null)
        {
            Context.Fail(new ProxyError(FailureCause.InternalError));
            Log.Failed(services.Logger, fault, Context.Id);
        }

        _ = EndAsync();
    }

    /// <summary>Closes and accounts, once: a tunnel that could not even begin may end as well.</summary>
    private async Task EndAsync()
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        if (_stream is not null)
            await _stream.DisposeAsync();
        if (_farewell == ClientFarewell.Abort)
            client.Abort();
        bool isLeft = _farewell is ClientFarewell.None or ClientFarewell.Abort;
        if (isLeft)
            await client.DisposeAsync();

        // Requests in absolute form have had their lines; a connection that never got to one still gets its own.
        var counters = services.Counters.Of(Context.Listener);
        if (Context.End is { } end)
            counters.CountEnd(end);
        if ((Context.Protocol != ClientProtocol.HttpForward || Context.Upgraded || Context.Requests == 0) && !IsBalancersCheck)
        {
            counters.CountRequest(Context.Protocol, Context.Error.Cause);
            services.AccessLog.Write(Context);
        }

        if (!isLeft)
            await LeaveAsync();
        Dispose();
        Context.Ended = services.Time.GetTimestamp();
        ConnectionLimiter.Leave(Context);
        Context.Client?.Leave(Context.IsRefused);
        services.Registry.Remove(this);
        places.GiveBack(_hasRefusalsPlace);
    }

    /// <summary>A balancer that has looked whether somebody is here, which it does every few seconds, and has asked for nothing.</summary>
    private bool IsBalancersCheck =>
        _isBalancersOwn && Context.Protocol == ClientProtocol.Unknown && Context.Error.Cause == FailureCause.ClientClosed;

    public void Dispose() => _abort?.Dispose();

    /// <summary>
    /// Ends the client's side when it has yet to read something. Neither the worker's connection nor its lease is held by then.
    /// </summary>
    private async ValueTask LeaveAsync()
    {
        // A tunnel has none; an abort either sees this one or is seen here.
        var abort = _abort ??= new CancellationTokenSource();
        Interlocked.MemoryBarrier();
        if (!_aborted && !abort.IsCancellationRequested)
        {
            if (_farewell == ClientFarewell.Finish)
                await services.Lingering.FinishAsync(client, services.Registry.Stopping, abort.Token);
            else
                await services.Lingering.BeforeResetAsync(client, services.Registry.Stopping, abort.Token);
        }

        if (_farewell == ClientFarewell.Reset)
            client.Abort();
        await client.DisposeAsync();
    }

    private static partial class Log
    {
        [LoggerMessage(ServerEventIds.ConnectionFailed, LogLevel.Error, "Connection {Id} failed by a fault of ours")]
        public static partial void Failed(ILogger logger, Exception failure, string id);

        [LoggerMessage(
            ServerEventIds.TlsOnPlainPort, LogLevel.Warning,
            "A client of listener {Listener} speaks TLS to the proxy itself; its setting should say http://, not https://")]
        public static partial void Tls(ILogger logger, string listener);

        [LoggerMessage(
            ServerEventIds.ProxyHeaderUnasked, LogLevel.Warning,
            "Listener {Listener}: a peer sends a PROXY protocol header that is not taken from it, and is closed; "
                + "ProxyProtocol names the balancers that may send one")]
        public static partial void UnaskedHeader(ILogger logger, string listener);
    }
}
