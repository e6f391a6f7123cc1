using System.IO.Pipelines;
using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// The HTTP side of one client connection: reads requests, asks for credentials, writes our own answers. A request that
/// is refused has been answered when it comes out of here; the others are to be served.
/// </summary>
/// <remarks>Everything behind a head stays in <see cref="TransportConnection.Input"/>. Does not dispose the connection.</remarks>
internal sealed partial class HttpServerConnection : IDisposable
{
    private readonly IClientAuthenticator _authenticator;
    private readonly TimeProvider _time;
    private readonly HttpReadDeadline _deadline;
    private int _headsRead;
    private int _challenges;

    /// <param name="connection">
    /// The client, nothing of whose HTTP bytes was consumed; bytes that were looked at must not be left examined.
    /// </param>
    /// <param name="settings">Limits and the connection's name.</param>
    /// <param name="authenticator">
    /// Decides on the credentials of each request. auth_required and auth_failed become 407 and the client may try again on
    /// the same connection; any other error ends it.
    /// </param>
    /// <param name="time">The clock.</param>
    public HttpServerConnection(
        TransportConnection connection,
        HttpServerSettings settings,
        IClientAuthenticator authenticator,
        TimeProvider time)
    {
        Connection = connection;
        Settings = settings;
        _authenticator = authenticator;
        _time = time;
        _deadline = new HttpReadDeadline(time, settings.Stopping);
    }

    internal TransportConnection Connection { get; }

    internal HttpServerSettings Settings { get; }

    internal TimeProvider Time => _time;

    /// <summary>The head of the request that was returned last.</summary>
    internal HttpRequestHead Head { get; } = new();

    /// <summary>When the head was complete, as a timestamp of the clock.</summary>
    internal long HeadTime { get; private set; }

    /// <summary>
    /// The next request. Throws only <see cref="OperationCanceledException"/>, for the caller's token; its own time
    /// limits end the connection (408 when part of a head had come, silence when nothing had).
    /// </summary>
    public async ValueTask<HttpServerRequest> ReadRequestAsync(CancellationToken cancellationToken)
    {
        bool found;
        HttpReject reject;
        try
        {
            (found, reject) = await ReadHeadAsync(cancellationToken);
        }
        finally
        {
            _deadline.End();
        }

        if (!found && !reject.Error.IsError)
            await WriteOutAsync(cancellationToken);
        if (reject.Error.Cause == FailureCause.ClientClosed || (!found && !reject.Error.IsError))
            return HttpServerRequest.Ended(reject.Error);
        if (!found)
            return Refused(null, reject, await RefuseAsync(reject, default, mayContinue: false, bodyPending: true, cancellationToken));

        // Whoever may connect may know the address that he has connected to; and who fetches such files sends no credentials.
        if (Head.AsksForAutoConfig)
            return await AnswerAutoConfigAsync(cancellationToken);
        if (Head.HasBadCredentials)
        {
            return await AdmitAsync(
                new ProxyError(FailureCause.AuthFailed, "the Proxy-Authorization field cannot be read"), cancellationToken);
        }

        return _authenticator.TryCheck(Head.Credentials, out var error)
            ? await AdmitAsync(error, cancellationToken)
            : await CheckAndAdmitAsync(cancellationToken);
    }

    /// <summary>Answers CONNECT: from here on the connection is the tunnel's. False when the client is gone.</summary>
    /// <param name="exit">The exit to tell; null: none is told.</param>
    public async ValueTask<bool> ReplyConnectedAsync(string? exit, CancellationToken cancellationToken)
    {
        Head.Release();
        return await TryWriteAsync(
            exit is null ? HttpErrorResponse.ConnectionEstablished : HttpErrorResponse.ConnectedThrough(exit), cancellationToken);
    }

    /// <summary>
    /// Answers with an error, and FIN. Does not throw. The caller ends the connection in order
    /// (<see cref="LingeringClose"/>), so that the client reads the answer and not an RST.
    /// </summary>
    public async ValueTask ReplyErrorAsync(ProxyError error, ReplyInfo info, CancellationToken cancellationToken)
    {
        var reject = new HttpReject(error, HttpStatusMapper.Map(error.Cause).Status);
        try
        {
            await RefuseAsync(reject, info, mayContinue: false, bodyPending: true, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // shutting down: the caller closes
        }
    }

    public void Dispose()
    {
        Head.Dispose();
        _deadline.Dispose();
    }

    private static HttpServerRequest Refused(ProxyRequest? request, HttpReject reject, HttpReplyEnd end) =>
        new(HttpServerRequestKind.Refused, request, reject.Error, reject.Status)
        {
            IsLast = end != HttpReplyEnd.Continue,
            Farewell = end == HttpReplyEnd.Close ? ClientFarewell.Finish : ClientFarewell.None,
        };

    /// <summary>A client that says no more may have yet to take the end of its last answer.</summary>
    private async ValueTask WriteOutAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Connection.WrittenAsync(cancellationToken);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            // It is gone.
        }
    }

    /// <summary>A method of its own: what waits for a hash costs those nothing that need none.</summary>
    private async ValueTask<HttpServerRequest> CheckAndAdmitAsync(CancellationToken cancellationToken) =>
        await AdmitAsync(await _authenticator.CheckAsync(Head.Credentials!, cancellationToken), cancellationToken);

    /// <summary>The request whose head was read, or its refusal.</summary>
    /// <param name="error">What is said to its credentials.</param>
    private async ValueTask<HttpServerRequest> AdmitAsync(ProxyError error, CancellationToken cancellationToken)
    {
        var request = new ProxyRequest(
            Head.IsConnect ? ClientProtocol.HttpConnect : ClientProtocol.HttpForward, ProxyCommand.Connect, Head.Target, Head.Credentials)
        {
            Isolation = Head.Isolation,
        };
        if (!error.IsError && Head.IsAboutProxy)
            return await AnswerOptionsAsync(cancellationToken);
        if (!error.IsError)
            return new HttpServerRequest(Head.IsConnect ? HttpServerRequestKind.Connect : HttpServerRequestKind.Forward, request);

        var refusal = new HttpReject(error, HttpStatusMapper.Map(error.Cause).Status);
        bool mayContinue = refusal.Status == 407 && ++_challenges < HttpLimits.AuthenticationAttempts;
        return Refused(
            Head.IsAboutProxy ? null : request, refusal,
            await RefuseAsync(refusal, default, mayContinue, Head.Body != HttpBodyKind.None, cancellationToken));
    }

    private async ValueTask<(bool Found, HttpReject Reject)> ReadHeadAsync(CancellationToken cancellationToken)
    {
        Head.Clear();
        var input = Connection.Input;
        var scanner = HttpHeadScanner.ForRequest();
        bool idle = _headsRead > 0;
        bool started = false;
        _deadline.Begin(idle ? Settings.IdleTimeout : Settings.HandshakeTimeout, cancellationToken);
        var token = _deadline.Token;
        while (true)
        {
            ReadResult read;
            try
            {
                read = await input.ReadAsync(started || !idle ? token : _deadline.OrStopping);
            }
            catch (OperationCanceledException) when (!token.IsCancellationRequested)
            {
                return default;
            }
            catch (OperationCanceledException) when (_deadline.Expired)
            {
                return (false, started ? new HttpReject(new ProxyError(FailureCause.HandshakeTimeout), 408) : default);
            }
            catch (Exception failure) when (failure is IOException or ObjectDisposedException)
            {
                return (false, new HttpReject(new ProxyError(FailureCause.ClientClosed), 0));
            }

            var buffer = read.Buffer;
            var status = HttpRequestParser.TryParse(ref buffer, ref scanner, Head, out var reject);
            if (status == HttpParseStatus.Complete)
            {
                input.AdvanceTo(buffer.Start);
                _headsRead++;
                HeadTime = _time.GetTimestamp();
                return (true, default);
            }

            bool nothing = buffer.IsEmpty;
            if (read.IsCanceled)
                input.AdvanceTo(buffer.Start, buffer.Start);
            else
                input.AdvanceTo(buffer.Start, buffer.End);
            if (status == HttpParseStatus.Rejected)
                return (false, reject);
            if (read.IsCompleted)
                return (false, nothing && idle ? default : new HttpReject(new ProxyError(FailureCause.ClientClosed), 0));
            if (!started && !nothing)
            {
                started = true;
                if (idle)
                    _deadline.Restart(Settings.HandshakeTimeout);
            }
        }
    }
}
