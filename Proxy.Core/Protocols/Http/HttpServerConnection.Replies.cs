using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

internal sealed partial class HttpServerConnection
{
    /// <summary>
    /// Sends an error page. Continue when the connection can go on behind it: the client may, and the body of its request is
    /// out of the way (<paramref name="bodyPending"/> false, or drained within a bound). Else Close, and FIN was sent; Gone when the
    /// client does not take it. Waits for nothing further: who calls lets go of the worker first, and then lingers.
    /// </summary>
    internal async ValueTask<HttpReplyEnd> RefuseAsync(
        HttpReject reject, ReplyInfo info, bool mayContinue, bool bodyPending, CancellationToken cancellationToken)
    {
        bool goesOn = mayContinue && Head.KeepAlive && (!bodyPending || await TryDrainBodyAsync(cancellationToken));
        return await AnswerAsync(
            HttpErrorResponse.Build(
                reject.Error, reject.Status, info, Settings.ConnectionId, !goesOn, withBody: !Head.IsHead,
                tellKeepAlive: Head.WantsKeepAliveTold),
            goesOn, cancellationToken);
    }

    private async ValueTask<HttpServerRequest> AnswerOptionsAsync(CancellationToken cancellationToken)
    {
        bool goesOn = await MayContinueAsync(cancellationToken);
        return await AnsweredAsync(HttpErrorResponse.Options(!goesOn, Head.WantsKeepAliveTold), goesOn, cancellationToken);
    }

    private async ValueTask<HttpServerRequest> AnswerAutoConfigAsync(CancellationToken cancellationToken)
    {
        string problem = HttpReject.ThisIsAProxy;
        if (!ProxyAutoConfig.TryFindProxy(Head.SaidHost(), Connection.LocalEndPoint, out var proxy)
            || !ProxyAutoConfig.TryPickSession(Head.AutoConfigSession, Settings.SessionPorts, ref proxy, out problem))
        {
            var reject = HttpReject.BadRequest(problem);
            return Refused(null, reject, await RefuseAsync(reject, default, mayContinue: false, bodyPending: true, cancellationToken));
        }

        bool goesOn = await MayContinueAsync(cancellationToken);
        byte[] answer = HttpErrorResponse.AutoConfig(
            ProxyAutoConfig.Build(proxy, http: true, Settings.SpeaksSocks5, Settings.IsTls), withBody: !Head.IsHead, !goesOn,
            Head.WantsKeepAliveTold);
        return await AnsweredAsync(answer, goesOn, cancellationToken);
    }

    /// <summary>The client may send another request behind this one, whose body is out of the way then.</summary>
    private async ValueTask<bool> MayContinueAsync(CancellationToken cancellationToken) =>
        Head.KeepAlive && (Head.Body == HttpBodyKind.None || await TryDrainBodyAsync(cancellationToken));

    private async ValueTask<HttpServerRequest> AnsweredAsync(byte[] answer, bool goesOn, CancellationToken cancellationToken)
    {
        const int ok = 200;
        var end = await AnswerAsync(answer, goesOn, cancellationToken);
        return new HttpServerRequest(HttpServerRequestKind.Answered, null, Status: ok)
        {
            IsLast = end != HttpReplyEnd.Continue,
            Farewell = end == HttpReplyEnd.Close ? ClientFarewell.Finish : ClientFarewell.None,
        };
    }

    private async ValueTask<HttpReplyEnd> AnswerAsync(byte[] response, bool goesOn, CancellationToken cancellationToken)
    {
        bool written;
        using (var deadline = new HttpDeadline(_time, HttpLimits.ClosingTimeout, cancellationToken))
        {
            try
            {
                written = await TryWriteAsync(response, deadline.Token);
            }
            catch (OperationCanceledException) when (deadline.Expired)
            {
                written = false;
            }
        }

        if (!written)
            return HttpReplyEnd.Gone;
        if (goesOn)
            return HttpReplyEnd.Continue;
        try
        {
            Connection.ShutdownSend();
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            return HttpReplyEnd.Gone;
        }

        return HttpReplyEnd.Close;
    }

    /// <summary>
    /// Reads and drops the current request's body if it is short. A client that waits for 100 (Continue) may or may not
    /// send it after a final answer, so there the next request's start would be a guess (RFC 9110, section 10.1.1).
    /// </summary>
    private async ValueTask<bool> TryDrainBodyAsync(CancellationToken cancellationToken)
    {
        if (Head.ExpectsContinue || (Head.Body == HttpBodyKind.Length && Head.ContentLength > HttpLimits.DrainBytes))
            return false;
        using var deadline = new HttpDeadline(_time, HttpLimits.ClosingTimeout, cancellationToken);
        try
        {
            var pump = new HttpBodyPump(Connection.Input, to: null) { Limit = HttpLimits.DrainBytes };
            var plan = new HttpBodyPlan(Head.Body, Head.ContentLength, ChunkedOut: false, Lenient: false);
            return await pump.RunAsync(plan, deadline.Token, deadline.Token) == HttpBodyEnd.Complete;
        }
        catch (OperationCanceledException) when (deadline.Expired)
        {
            return false;
        }
    }

    private async ValueTask<bool> TryWriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        try
        {
            await Connection.WriteAsync(data, cancellationToken);
            return true;
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            return false;
        }
    }
}
