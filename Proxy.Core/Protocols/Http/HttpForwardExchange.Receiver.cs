using System.Net.Sockets;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

internal sealed partial class HttpForwardExchange
{
    private enum AnswerEnd : byte
    {
        /// <summary>The upstream closed before it sent a byte.</summary>
        NoAnswer,

        /// <summary>It closed within a head, or after interim responses only.</summary>
        Closed,

        /// <summary>Not HTTP/1, with a body whose end could be taken for two places, or too large.</summary>
        Malformed,

        Complete,

        /// <summary>101 was forwarded.</summary>
        Switched,

        /// <summary>It closed within the body, or the body turned out malformed or too large, when the client had the beginning of the answer.</summary>
        Truncated,

        ClientGone,

        Cancelled,
    }

    /// <param name="End">How it ended.</param>
    /// <param name="Error">What is wrong with an answer that is <see cref="AnswerEnd.Malformed"/> or <see cref="AnswerEnd.Truncated"/>.</param>
    /// <param name="CloseClient">No further request can come from the client.</param>
    /// <param name="KeepUpstream">The upstream may carry another.</param>
    private readonly record struct Answer(AnswerEnd End, ProxyError Error = default, bool CloseClient = false, bool KeepUpstream = false)
    {
        public static Answer Malformed(string problem) => new(AnswerEnd.Malformed, new ProxyError(FailureCause.TargetProtocol, problem));
    }

    private async ValueTask<Answer> ReceiveAsync(RequestSender sender)
    {
        for (int heads = 0; heads <= HttpLimits.InterimResponses; heads++)
        {
            var failed = await ReceiveHeadAsync(first: heads == 0);
            if (failed is { } answer)
                return answer;
            sender.AnswerBegan();
            if (_response.Status == 101)
                return await SwitchAsync(sender);
            if (!_response.IsInterim)
                return await ForwardAsync(sender);

            // HTTP/1.0 knows no interim responses (RFC 9110, section 15.2)
            if (_client.Head.MinorVersion == 0)
                continue;
            HttpHeadWriter.WriteResponse(_toClient, _response, chunked: false, close: false);
            if (!await _toClient.FlushAsync(_cancel.Token))
                return new Answer(AnswerEnd.ClientGone);
        }

        return Answer.Malformed("too many interim responses");
    }

    private async ValueTask<Answer?> ReceiveHeadAsync(bool first)
    {
        var input = Upstream!.Connection.Input;
        var scanner = HttpHeadScanner.ForResponse();
        bool silent = first;
        while (true)
        {
            var read = await input.ReceiveAsync(_cancel.Token);
            if (read.IsBroken)
                return new Answer(silent ? AnswerEnd.NoAnswer : AnswerEnd.Closed);
            var buffer = read.Result.Buffer;
            silent &= buffer.IsEmpty;
            var status = HttpResponseParser.TryParse(ref buffer, ref scanner, _client.Head.IsHead, _response, out var error);
            if (status == HttpParseStatus.Incomplete)
                input.AdvanceTo(buffer.Start, buffer.End);
            else
                input.AdvanceTo(buffer.Start);
            if (status == HttpParseStatus.Complete)
                return null;
            if (status == HttpParseStatus.Rejected)
                return new Answer(AnswerEnd.Malformed, error);
            if (read.Result.IsCompleted)
                return new Answer(silent ? AnswerEnd.NoAnswer : AnswerEnd.Closed);
        }
    }

    private async ValueTask<Answer> ForwardAsync(RequestSender sender)
    {
        // Only a proxy may send 407, and between us and the origin there is none: it would make the client show its
        // proxy password to whoever asks.
        if (_response.Status == 407)
            return Answer.Malformed("an origin that asks for the proxy's password (407)");

        var head = _client.Head;
        bool chunkedOut = _response.Body == HttpBodyKind.Chunked && head.MinorVersion == 1;
        bool endByClose = _response.Body == HttpBodyKind.UntilClose || (_response.Body == HttpBodyKind.Chunked && !chunkedOut);
        bool close = !head.KeepAlive || endByClose || !sender.BodyTaken;
        _status = _response.Status;
        long written = _toClient.Written;
        HttpHeadWriter.WriteResponse(_toClient, _response, chunkedOut, close);

        var input = Upstream!.Connection.Input;
        var plan = new HttpBodyPlan(_response.Body, _response.ContentLength, chunkedOut, Lenient: true);
        var pump = new HttpBodyPump(input, _toClient);
        var end = await pump.RunAsync(plan, _cancel.Token, _cancel.Token);
        if (end == HttpBodyEnd.Complete && pump.EndedByClose && await WasResetAsync(sender))
            end = HttpBodyEnd.SourceBroken;
        bool keep = _response.KeepAlive && head.KeepAlive && !pump.IsRepaired;
        return end switch
        {
            HttpBodyEnd.Complete => new Answer(AnswerEnd.Complete, ProxyError.None, close, keep && IsSilent(input)),
            HttpBodyEnd.SinkBroken => new Answer(AnswerEnd.ClientGone),

            // As long as the client has nothing of it, it can still be told.
            _ => new Answer(_toClient.Written == written ? AnswerEnd.Malformed : AnswerEnd.Truncated, BodyError(end)),
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
    private async ValueTask<bool> WasResetAsync(RequestSender sender)
    {
        // It may be about to say so.
        await sender.StopAsync();
        return _toUpstream!.Refusal is not (SocketError.Success or SocketError.Shutdown);
    }

    private async ValueTask<Answer> SwitchAsync(RequestSender sender)
    {
        if (!_client.Head.IsUpgrade || !sender.BodyTaken)
            return Answer.Malformed("a switch of protocols that was not asked for");
        _status = 101;
        HttpHeadWriter.WriteResponse(_toClient, _response, chunked: false, close: false);
        return new Answer(await _toClient.FlushAsync(_cancel.Token) ? AnswerEnd.Switched : AnswerEnd.ClientGone);
    }

    /// <summary>False when bytes came behind the answer: they belong to no request, so nothing further may be read from there.</summary>
    private static bool IsSilent(System.IO.Pipelines.PipeReader input)
    {
        if (!input.TryRead(out var read))
            return true;
        input.AdvanceTo(read.Buffer.Start, read.Buffer.Start);
        return false;
    }
}
