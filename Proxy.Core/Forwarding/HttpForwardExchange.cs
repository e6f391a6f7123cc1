using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Transport;

namespace TorBalancer.Forwarding;

/// <summary>
/// One request and its answer. Two activities run side by side: the request's (<see cref="HttpRequestSender"/>) and the response's
/// (<see cref="HttpResponseReceiver"/>). The response decides when the exchange is over.
/// </summary>
internal sealed class HttpForwardExchange : IDisposable
{
    private readonly HttpServerConnection _client;
    private readonly OpenStream _open;
    private readonly TunnelCounters _counters;
    private readonly ProxyRequest _request;
    private readonly ExchangeCancellation _cancellation;
    private readonly CancellationToken _outer;
    private CancellationTokenSource _cancel;
    private readonly HttpOutput _toClient;
    private readonly long _started;

    private HttpOutput? _toUpstream;
    private long _sentBefore;
    private ProxyError _error;
    private string? _workerId;
    private int _attempts;
    private bool _reused;
    private int _status;
    private TimeSpan _connectTime;

    /// <param name="kept">A stream that may carry this request, or null.</param>
    /// <param name="cancellation">Shared with the exchanges before and behind this one.</param>
    public HttpForwardExchange(
        HttpServerConnection client,
        OpenStream open,
        TunnelCounters counters,
        ProxyRequest request,
        KeptStream? kept,
        ExchangeCancellation cancellation,
        CancellationToken cancellationToken)
    {
        _client = client;
        _open = open;
        _counters = counters;
        _request = request;
        _outer = cancellationToken;
        _cancellation = cancellation;
        _cancel = cancellation.Get(cancellationToken);
        _toClient = new HttpOutput(client.Connection, counters, towardsUpstream: false);
        _started = client.HeadTime;
        Carrier = kept;
        _reused = kept is not null;
        _workerId = kept?.Stream.Worker.Id;
    }

    /// <summary>The stream in use. The caller keeps, tunnels or closes it, as the end says; it is settled unless it is to go on.</summary>
    public KeptStream? Carrier { get; private set; }

    public async ValueTask<HttpExchangeEnd> RunAsync()
    {
        try
        {
            while (true)
            {
                if (Carrier is null && await ConnectAsync() is { } failed)
                    return failed;
                if (await ExchangeAsync() is { } end)
                    return end;

                // A kept connection was closed just as it was used, and nothing of the request is lost: once more, afresh.
                _sentBefore += _toUpstream!.Written;
                _reused = false;
                await CloseAsync(TunnelEnd.Finished);

                // Stopping the sender in the middle of its body has cancelled the first try; the second needs its own.
                _cancel = _cancellation.Get(_outer);
            }
        }
        catch (Exception failure)
        {
            _error = new ProxyError(failure is OperationCanceledException ? FailureCause.ShuttingDown : FailureCause.InternalError);
            await CloseAsync(TunnelEnd.Aborted);
            throw;
        }
    }

    public HttpExchange Summary() => new(
        _request, _status, _error, _workerId, _attempts, _sentBefore + (_toUpstream?.Written ?? 0), _toClient.Written, _connectTime,
        _client.Time.GetElapsedTime(_started));

    public void Dispose()
    {
        _toClient.Dispose();
        _toUpstream?.Dispose();
    }

    /// <summary>Opens a stream; null when there is one, else how the exchange ended without.</summary>
    private async ValueTask<HttpExchangeEnd?> ConnectAsync()
    {
        long began = _client.Time.GetTimestamp();
        var watch = NewWatch();
        watch.Start(_outer);
        var outcome = default(ConnectOutcome);
        try
        {
            outcome = await _open(_request, _cancel.Token);
        }
        catch (OperationCanceledException) when (!_outer.IsCancellationRequested)
        {
            // the client went away: told below
        }
        finally
        {
            await watch.StopAsync();
            if (outcome.Stream is { } stream)
            {
                stream.Begin(_counters, watchesSilence: false);
                Carrier = new KeptStream(stream, _request, outcome.Session);
            }
        }

        _connectTime = _client.Time.GetElapsedTime(began);
        _attempts = outcome.Attempts;
        _workerId = outcome.WorkerId;
        if (watch.Gone)
        {
            _error = new ProxyError(FailureCause.ClientClosed);
            Carrier?.Stream.End(TunnelEnd.ClientReset);
            return HttpExchangeEnd.Gone;
        }

        if (Carrier is not null)
            return null;
        return await FailAsync(outcome.Error, 0, mayContinue: true, bodyPending: _client.Head.Body != HttpBodyKind.None);
    }

    /// <summary>Sends the request over <see cref="Carrier"/> and forwards the answer. Null: try again on a fresh stream.</summary>
    private async ValueTask<HttpExchangeEnd?> ExchangeAsync()
    {
        var upstream = Carrier!.Stream.Connection;
        _toUpstream?.Dispose();
        _toUpstream = new HttpOutput(upstream, _counters, towardsUpstream: true);
        var sender = new HttpRequestSender(_client, _toUpstream, NewWatch(), _reused, _cancel, _outer);
        using var receiver = new HttpResponseReceiver(_client, upstream.Input, _toClient, _toUpstream, sender, _cancel.Token);
        HttpHeadWriter.WriteRequest(_toUpstream, _client.Head, close: !_client.Head.KeepAlive);
        sender.Start();
        var answer = default(HttpAnswer);
        try
        {
            answer = await receiver.ReceiveAsync();
        }
        catch (OperationCanceledException) when (!_outer.IsCancellationRequested)
        {
            answer = new HttpAnswer(HttpAnswerEnd.Cancelled);
        }
        finally
        {
            await sender.StopAsync();
            _status = receiver.Status;
        }

        if (answer.End == HttpAnswerEnd.NoAnswer && _reused && !sender.Touched && _client.Head.IsIdempotent)
            return null;
        var end = await FinishAsync(answer, sender);
        if (end == HttpExchangeEnd.ContinueAndKeep)
            Carrier?.Stream.CountBytes();
        else if (end != HttpExchangeEnd.Tunnel)
            Carrier?.Stream.End(answer.StreamEnd);
        return end;
    }

    private async ValueTask<HttpExchangeEnd> FinishAsync(HttpAnswer answer, HttpRequestSender sender)
    {
        switch (answer.End)
        {
            case HttpAnswerEnd.Complete when !sender.BodyDone || answer.CloseClient:
                return HttpExchangeEnd.Close;
            case HttpAnswerEnd.Complete:
                return answer.KeepUpstream ? HttpExchangeEnd.ContinueAndKeep : HttpExchangeEnd.Continue;
            case HttpAnswerEnd.Switched when sender.BodyDone:
                return HttpExchangeEnd.Tunnel;
            case HttpAnswerEnd.Switched:
                // The rest of the request's body would be lost or be taken for the new protocol's first bytes.
                _error = new ProxyError(FailureCause.TargetProtocol, "the protocol was switched before the request was complete");
                return Cut(sender);
            case HttpAnswerEnd.ClientGone:
                _error = new ProxyError(FailureCause.ClientClosed);
                return HttpExchangeEnd.Gone;
            case HttpAnswerEnd.Cancelled:
                return await CancelledAsync(sender);
            case HttpAnswerEnd.Truncated:
                _error = answer.Error;
                return Cut(sender);
            case HttpAnswerEnd.Malformed:
                return await FailAsync(answer.Error, 0, sender.BodyDone, bodyPending: false, answer.StreamEnd);
            default:
                return await FailAsync(new ProxyError(FailureCause.TargetClosed), 0, sender.BodyDone, bodyPending: false, answer.StreamEnd);
        }
    }

    /// <summary>The request side ended the exchange: the client is gone, or what it sent as a body is none.</summary>
    private async ValueTask<HttpExchangeEnd> CancelledAsync(HttpRequestSender sender)
    {
        var upstream = Carrier!.Stream.Connection;
        if (sender.ClientGone || sender.Refused is not { } refused)
        {
            _error = new ProxyError(FailureCause.ClientClosed);
            if (!sender.BodyDone)
                upstream.Abort();
            return HttpExchangeEnd.Gone;
        }

        upstream.Abort();
        if (_status == 0)
            return await FailAsync(refused.Error, refused.Status, mayContinue: false, bodyPending: true);
        _error = refused.Error;
        return Cut(sender);
    }

    /// <summary>
    /// The client has the beginning of an answer. A reset that is sent while it sends makes it fail before it reads that, and takes
    /// away what it has yet to take (RFC 9112, section 9.6).
    /// </summary>
    private HttpExchangeEnd Cut(HttpRequestSender sender) =>
        !sender.BodyDone || _client.Connection.Delivery is { IsComplete: false } ? HttpExchangeEnd.AbortWhenRead : HttpExchangeEnd.Abort;

    /// <summary>Answers with an error of ours. Nothing of a final response has gone to the client.</summary>
    private async ValueTask<HttpExchangeEnd> FailAsync(
        ProxyError error, int status, bool mayContinue, bool bodyPending, TunnelEnd streamEnd = TunnelEnd.Aborted)
    {
        _error = error;
        _status = status == 0 ? HttpStatusMapper.Map(error.Cause).Status : status;
        if (_toClient.HasPending)
            _toClient.Release();

        // How long the client takes for the page is nothing that a worker should wait for.
        await CloseAsync(streamEnd);
        var info = new ReplyInfo(_workerId, _attempts == 0 && _reused ? 1 : _attempts);
        return await _client.RefuseAsync(new HttpReject(error, _status), info, mayContinue, bodyPending, _outer) switch
        {
            HttpReplyEnd.Continue => HttpExchangeEnd.Continue,
            HttpReplyEnd.Close => HttpExchangeEnd.Close,
            _ => HttpExchangeEnd.Gone,
        };
    }

    private async ValueTask CloseAsync(TunnelEnd how)
    {
        if (Carrier is not { } carrier)
            return;
        Carrier = null;
        carrier.Stream.End(how);
        await carrier.Stream.DisposeAsync();
    }

    private HttpClientWatch NewWatch() => new(_client.Connection, _client.Settings.Descriptors, _client.Time, _cancel);
}
