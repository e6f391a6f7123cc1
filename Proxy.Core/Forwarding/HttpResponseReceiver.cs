using System.IO.Pipelines;
using System.Net.Sockets;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Forwarding;

/// <summary>
/// The response's side of an exchange: heads (interim ones too) and body from the upstream to the client. It decides when the exchange is
/// over. How a response is framed is judged by <see cref="HttpResponseParser"/>.
/// </summary>
/// <param name="client">The client, and the head of its request.</param>
/// <param name="upstream">What the origin sends.</param>
/// <param name="toClient">Where it goes.</param>
/// <param name="toUpstream">Where the request goes; only asked whether a write was refused.</param>
/// <param name="sender">The request's side.</param>
/// <param name="cancellationToken">The exchange's.</param>
internal sealed class HttpResponseReceiver(
    HttpServerConnection client, PipeReader upstream, HttpOutput toClient, HttpOutput toUpstream, HttpRequestSender sender,
    CancellationToken cancellationToken) : IDisposable
{
    private readonly HttpResponseHead _response = new();

    /// <summary>The status of the final head; 0 as long as nothing of a final response may have gone to the client.</summary>
    public int Status { get; private set; }

    /// <summary>Receives and forwards the answer. Throws only <see cref="OperationCanceledException"/>, for the exchange's token.</summary>
    public async ValueTask<HttpAnswer> ReceiveAsync()
    {
        for (int heads = 0; heads <= HttpLimits.InterimResponses; heads++)
        {
            var scanner = HttpHeadScanner.ForResponse();
            bool silent = heads == 0;
            HttpAnswer? failed;
            while (true)
            {
                try
                {
                    if (TryTakeHead(await upstream.ReadAsync(cancellationToken), ref scanner, ref silent, out failed))
                        break;
                }
                catch (Exception failure) when (failure is IOException or ObjectDisposedException)
                {
                    failed = Silence(silent);
                    break;
                }
            }

            if (failed is { } answer)
                return answer;
            sender.AnswerBegan();
            if (_response.Status == 101)
                return await SwitchAsync();
            if (!_response.IsInterim)
                return await ForwardAsync();

            // HTTP/1.0 knows no interim responses (RFC 9110, section 15.2)
            if (client.Head.MinorVersion == 0)
                continue;
            HttpHeadWriter.WriteResponse(toClient, _response, chunked: false, close: false);
            if (!await toClient.FlushAsync(cancellationToken))
                return new HttpAnswer(HttpAnswerEnd.ClientGone);
        }

        return HttpAnswer.Malformed("too many interim responses");
    }

    /// <summary>
    /// Takes in what was read. False: more of the head must come. True: it is whole, or there is none and the exchange is over.
    /// </summary>
    private bool TryTakeHead(in ReadResult read, ref HttpHeadScanner scanner, ref bool silent, out HttpAnswer? failed)
    {
        failed = null;
        var buffer = read.Buffer;
        silent &= buffer.IsEmpty;
        var status = HttpResponseParser.TryParse(ref buffer, ref scanner, client.Head.IsHead, _response, out var error);
        if (status == HttpParseStatus.Incomplete)
            upstream.AdvanceTo(buffer.Start, buffer.End);
        else
            upstream.AdvanceTo(buffer.Start);
        if (status == HttpParseStatus.Rejected)
            failed = new HttpAnswer(HttpAnswerEnd.Malformed, error);
        else if (status == HttpParseStatus.Incomplete && read.IsCompleted)
            failed = Silence(silent);
        return failed is not null || status == HttpParseStatus.Complete;
    }

    private static HttpAnswer Silence(bool silent) => new(silent ? HttpAnswerEnd.NoAnswer : HttpAnswerEnd.Closed);

    private async ValueTask<HttpAnswer> ForwardAsync()
    {
        // Only a proxy may send 407, and between us and the origin there is none: it would make the client show its
        // proxy password to whoever asks.
        if (_response.Status == 407)
            return HttpAnswer.Malformed("an origin that asks for the proxy's password (407)");

        var head = client.Head;
        bool chunkedOut = _response.Body == HttpBodyKind.Chunked && head.MinorVersion == 1;
        bool endByClose = _response.Body == HttpBodyKind.UntilClose || (_response.Body == HttpBodyKind.Chunked && !chunkedOut);
        bool close = !head.KeepAlive || endByClose || !sender.BodyTaken;
        Status = _response.Status;
        long written = toClient.Written;
        HttpHeadWriter.WriteResponse(toClient, _response, chunkedOut, close, head.WantsKeepAliveTold);

        var plan = new HttpBodyPlan(_response.Body, _response.ContentLength, chunkedOut, Lenient: true, IsAwaited: !close);
        var pump = new HttpBodyPump(upstream, toClient);
        var end = await pump.RunAsync(plan, cancellationToken, cancellationToken);
        if (end == HttpBodyEnd.Complete && pump.EndedByClose && await WasResetAsync())
            end = HttpBodyEnd.SourceBroken;
        bool keep = _response.KeepAlive && head.KeepAlive && !pump.IsRepaired;
        return end switch
        {
            HttpBodyEnd.Complete => new HttpAnswer(HttpAnswerEnd.Complete, ProxyError.None, close, keep && IsSilent(upstream)),
            HttpBodyEnd.SinkBroken => new HttpAnswer(HttpAnswerEnd.ClientGone),

            // As long as the client has nothing of it, it can still be told.
            _ => new HttpAnswer(toClient.Written == written ? HttpAnswerEnd.Malformed : HttpAnswerEnd.Truncated, BodyError(end)),
        };
    }

    private static ProxyError BodyError(HttpBodyEnd end) => end switch
    {
        HttpBodyEnd.SourceMalformed => new ProxyError(FailureCause.TargetProtocol, "a body that is not valid chunked coding"),
        HttpBodyEnd.SourceTooLarge => new ProxyError(FailureCause.TargetHeadTooLarge, "chunk extensions or trailers that are too large"),
        _ => new ProxyError(FailureCause.TargetClosed, "the target closed the connection in the middle of its answer"),
    };

    /// <summary>
    /// Whether an end that only the closing of the connection told of was a reset in disguise. The kernel tells of a reset once: when
    /// a write of the request heard of it, the read sees an end like any other. If no write did, the read would have. A reset that
    /// came behind a FIN is told as EPIPE (tcp_reset in the kernel's tcp_input.c): then all had come.
    /// </summary>
    private async ValueTask<bool> WasResetAsync()
    {
        // It may be about to say so.
        await sender.StopAsync();
        return toUpstream.Refusal is not (SocketError.Success or SocketError.Shutdown);
    }

    private async ValueTask<HttpAnswer> SwitchAsync()
    {
        if (!client.Head.IsUpgrade || !sender.BodyTaken)
            return HttpAnswer.Malformed("a switch of protocols that was not asked for");
        Status = 101;
        HttpHeadWriter.WriteResponse(toClient, _response, chunked: false, close: false);
        return new HttpAnswer(await toClient.FlushAsync(cancellationToken) ? HttpAnswerEnd.Switched : HttpAnswerEnd.ClientGone);
    }

    /// <summary>False when bytes came behind the answer: they belong to no request, so nothing further may be read from there.</summary>
    private static bool IsSilent(PipeReader upstream)
    {
        if (!upstream.TryRead(out var read))
            return true;
        upstream.AdvanceTo(read.Buffer.Start, read.Buffer.Start);
        return false;
    }

    public void Dispose() => _response.Dispose();
}
