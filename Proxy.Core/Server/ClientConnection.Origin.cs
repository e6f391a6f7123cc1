using System.Security.Authentication;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Protocols.ProxyProtocol;
using TorBalancer.Transport;
using TorBalancer.Transport.Tls;

namespace TorBalancer.Server;

/// <summary>What may stand in front of what a client speaks: whose connection it is, and TLS.</summary>
internal sealed partial class ClientConnection
{
    /// <summary>
    /// Reads whom the peer speaks for, which is the client's address from then on. What comes behind it stays in the reader. False: the
    /// connection is to end.
    /// </summary>
    private async ValueTask<bool> TakeProxyHeaderAsync()
    {
        var received = await ProxyHeaderReceiver.ReceiveAsync(client.Input, Aborted);
        if (received.State == ProxyHeaderState.Complete)
        {
            // HAProxy's checks are LOCAL in version 2; in version 1 they name HAProxy's own address.
            if (received.Header.Source is not { } source || source.Equals(Context.ClientAddress))
            {
                _isBalancersOwn = true;
                return true;
            }

            Context.SpeaksFor(source);
            return AdmitClient();
        }
        else if (received.State == ProxyHeaderState.Closed)
        {
            Refuse(null);
        }
        else
        {
            string problem = received.State == ProxyHeaderState.Missing ? "is missing" : received.Problem!;
            Context.Fail(new ProxyError(FailureCause.BadRequest, $"the PROXY protocol header {problem}"));
            services.Counters.Of(Context.Listener).CountBadHeader();
            OriginLog.WrongHeader(services.Logger, Context.Listener.Name, problem);
        }

        return false;
    }

    /// <summary>
    /// Judges a client whose address is known only now, as others are when they come. False: it is to be cut; who passes a limit is told so
    /// when he has asked for something.
    /// </summary>
    private bool AdmitClient()
    {
        var listener = Context.Listener;
        bool wasRefused = Context.IsRefused;
        var refusal = listener.Admits(Context.ClientAddress);
        bool mayAnswer = false;
        if (refusal.IsError)
        {
            Context.Fail(refusal);
            services.Counters.Of(listener).CountNotAllowed();
        }
        else if (!wasRefused && listener.Limits is { } limits && Context.ClientAddress is { } address)
        {
            refusal = services.Limiter.Of(listener).EnterClient(limits, address, out var account, out mayAnswer).Error;
            Context.Client = account;
            if (refusal.IsError)
                Context.Refuse(refusal);
        }

        // The listener's rate was taken when nobody knew whose connection it is.
        if (refusal.IsError && !wasRefused && listener.Limits is { } common)
            services.Limiter.Of(listener).Return(common);
        if (!refusal.IsError || mayAnswer)
            return true;
        _farewell = ClientFarewell.Abort;
        return false;
    }

    /// <summary>
    /// Makes the connection one that carries TLS, which everybody knows as the client's from then on. False: the connection is to end.
    /// </summary>
    private async ValueTask<bool> TakeTlsAsync()
    {
        DetectedProtocol? protocol;
        while (!ProtocolDetector.TryDetect(client.Input, await client.Input.ReadAsync(Aborted), out protocol))
        {
        }

        if (protocol is null)
        {
            Refuse(null);
            return false;
        }

        if (protocol != DetectedProtocol.Tls)
        {
            await RefusePlainAsync(protocol.Value);
            return false;
        }

        if (_tls is not { } options)
        {
            // A reload has taken it from the listener while this client was accepted.
            Context.Fail(new ProxyError(FailureCause.ProtocolDisabled));
            return false;
        }

        try
        {
            client = await TlsConnection.AcceptAsync(client, options, Aborted);
            return true;
        }
        catch (AuthenticationException failure)
        {
            Context.Fail(new ProxyError(FailureCause.BadRequest, "the TLS handshake failed"));
            OriginLog.TlsFailed(services.Logger, Context.Listener.Name, (failure.InnerException ?? failure).Message);
            return false;
        }
    }

    private async ValueTask RefusePlainAsync(DetectedProtocol protocol)
    {
        Context.Fail(new ProxyError(FailureCause.BadRequest, "no TLS, which this listener speaks"));
        if (protocol == DetectedProtocol.ProxyHeader)
            Log.UnaskedHeader(services.Logger, Context.Listener.Name);
        else
            OriginLog.Plain(services.Logger, Context.Listener.Name);
        if (protocol != DetectedProtocol.Http)
            return;
        await client.WriteAsync(
            HttpErrorResponse.Build(Context.Error, status: 0, default, Context.Id, close: true, withBody: true), Aborted);
        _farewell = ClientFarewell.Finish;
    }

    private static partial class OriginLog
    {
        [LoggerMessage(
            ServerEventIds.ProxyHeaderWrong, LogLevel.Warning,
            "Listener {Listener}: a peer that ProxyProtocol names is closed: its PROXY protocol header {Problem}. "
                + "Its balancer should send one (send-proxy or send-proxy-v2 in HAProxy)")]
        public static partial void WrongHeader(ILogger logger, string listener, string problem);

        [LoggerMessage(
            ServerEventIds.PlainOnTlsPort, LogLevel.Warning,
            "A client of listener {Listener} does not speak TLS, which it has to there; its setting should say https://, not http://")]
        public static partial void Plain(ILogger logger, string listener);

        [LoggerMessage(ServerEventIds.TlsFailed, LogLevel.Information, "Listener {Listener}: a TLS handshake failed: {Reason}")]
        public static partial void TlsFailed(ILogger logger, string listener, string reason);
    }
}
