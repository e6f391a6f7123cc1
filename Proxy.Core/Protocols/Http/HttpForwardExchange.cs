using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// One request and its answer. Two activities run side by side: the request's (its body, then a watch over the client)
/// and the response's. The response decides when the exchange is over.
/// </summary>
internal sealed partial class HttpForwardExchange : IDisposable
{
    private readonly HttpServerHandshake _client;
    private readonly IUpstreamSource _source;
    private readonly TunnelCounters _counters;
    private readonly ProxyRequest _request;
    private readonly CancellationToken _outer;
    private CancellationTokenSource _cancel;
    private readonly HttpOutput _toClient;
    private readonly HttpResponseHead _response = new();
    private readonly long _started;

    private HttpOutput? _toUpstream;
    private long _sentBefore;
    private string? _workerId;
    private int _attempts;
    private bool _reused;
    private int _status;
    private TimeSpan _connectTime;

    /// <param name="kept">A connection that may carry this request, or null.</param>
    public HttpForwardExchange(
        HttpServerHandshake client,
        IUpstreamSource source,
        TunnelCounters counters,
        ProxyRequest request,
        IUpstream? kept,
        CancellationToken cancellationToken)
    {
        _client = client;
        _source = source;
        _counters = counters;
        _request = request;
        _outer = cancellationToken;
        _cancel = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _toClient = new HttpOutput(client.Connection, counters, towardsUpstream: false);
        _started = client.HeadTime;
        Upstream = kept;
        _reused = kept is not null;
        _workerId = kept?.WorkerId;
    }

    /// <summary>The connection in use. The caller disposes it, keeps it or tunnels it, as the end says.</summary>
    public IUpstream? Upstream { get; private set; }

    public ProxyError Error { get; private set; }

    public async ValueTask<HttpExchangeEnd> RunAsync()
    {
        try
        {
            while (true)
            {
                if (Upstream is null && await ConnectAsync() is { } failed)
                    return failed;
                if (await ExchangeAsync() is { } end)
                    return end;

                // A kept connection was closed just as it was used, and nothing of the request is lost: once more, afresh.
                _sentBefore += _toUpstream!.Written;
                _reused = false;
                await Upstream!.DisposeAsync();
                Upstream = null;

                // Stopping the sender in the middle of its body has cancelled the first try; the second needs its own.
                if (_cancel.IsCancellationRequested)
                {
                    _cancel.Dispose();
                    _cancel = CancellationTokenSource.CreateLinkedTokenSource(_outer);
                }
            }
        }
        catch (Exception e)
        {
            Error = new ProxyError(e is OperationCanceledException ? FailureCause.ShuttingDown : FailureCause.InternalError);
            if (Upstream is not null)
                await Upstream.DisposeAsync();
            Upstream = null;
            throw;
        }
    }

    public void Report() => _client.Observer?.OnExchange(new HttpExchange(
        _request, _client.Head.Method, _status, Error, _workerId, _attempts, _reused,
        _sentBefore + (_toUpstream?.Written ?? 0), _toClient.Written, _connectTime, _client.Time.GetElapsedTime(_started)));

    public void Dispose()
    {
        _toClient.Dispose();
        _toUpstream?.Dispose();
        _response.Dispose();
        _cancel.Dispose();
    }

    /// <summary>Gets an upstream; null when there is one, else how the exchange ended without.</summary>
    private async ValueTask<HttpExchangeEnd?> ConnectAsync()
    {
        long began = _client.Time.GetTimestamp();
        var watch = NewWatch();
        watch.Start(_outer);
        var result = default(UpstreamResult);
        try
        {
            result = await _source.ConnectAsync(_request, _cancel.Token);
        }
        catch (OperationCanceledException) when (!_outer.IsCancellationRequested)
        {
            // the client went away: told below
        }
        finally
        {
            await watch.StopAsync();
            Upstream = result.Upstream;
        }

        _connectTime = _client.Time.GetElapsedTime(began);
        _attempts = result.Attempts;
        _workerId = result.Upstream?.WorkerId ?? result.WorkerId;
        if (watch.Gone)
        {
            Error = new ProxyError(FailureCause.ClientClosed);
            return HttpExchangeEnd.Gone;
        }

        if (result.Upstream is not null)
            return null;
        bool body = _client.Head.Body != HttpBodyKind.None;
        return await FailAsync(result.Error, 0, mayContinue: true, bodyPending: body);
    }

    /// <summary>Sends the request over <see cref="Upstream"/> and forwards the answer. Null: try again on a fresh upstream.</summary>
    private async ValueTask<HttpExchangeEnd?> ExchangeAsync()
    {
        _toUpstream?.Dispose();
        _toUpstream = new HttpOutput(Upstream!.Connection, _counters, towardsUpstream: true);
        var sender = new RequestSender(this, NewWatch());
        HttpHeadWriter.WriteRequest(_toUpstream, _client.Head, close: !_client.Head.KeepAlive);
        sender.Start();
        var answer = default(Answer);
        try
        {
            answer = await ReceiveAsync(sender);
        }
        catch (OperationCanceledException) when (!_outer.IsCancellationRequested)
        {
            answer = new Answer(AnswerEnd.Cancelled);
        }
        finally
        {
            await sender.StopAsync();
        }

        return await FinishAsync(answer, sender);
    }

    private async ValueTask<HttpExchangeEnd?> FinishAsync(Answer answer, RequestSender sender)
    {
        switch (answer.End)
        {
            case AnswerEnd.Complete when !sender.BodyDone || answer.CloseClient:
                return HttpExchangeEnd.Close;
            case AnswerEnd.Complete:
                return answer.KeepUpstream ? HttpExchangeEnd.ContinueAndKeep : HttpExchangeEnd.Continue;
            case AnswerEnd.Switched when sender.BodyDone:
                return HttpExchangeEnd.Tunnel;
            case AnswerEnd.Switched:
                // The rest of the request's body would be lost or be taken for the new protocol's first bytes.
                Error = new ProxyError(FailureCause.TargetProtocol, "the protocol was switched before the request was complete");
                return Cut(sender);
            case AnswerEnd.ClientGone:
                Error = new ProxyError(FailureCause.ClientClosed);
                return HttpExchangeEnd.Gone;
            case AnswerEnd.Cancelled:
                return await CancelledAsync(sender);
            case AnswerEnd.NoAnswer when _reused && !sender.Touched && _client.Head.IsIdempotent:
                return null;
            case AnswerEnd.Truncated:
                Error = answer.Error;
                return Cut(sender);
            case AnswerEnd.Malformed:
                return await FailAsync(answer.Error, 0, sender.BodyDone, bodyPending: false);
            default:
                return await FailAsync(new ProxyError(FailureCause.TargetClosed), 0, sender.BodyDone, bodyPending: false);
        }
    }

    /// <summary>The request side ended the exchange: the client is gone, or what it sent as a body is none.</summary>
    private async ValueTask<HttpExchangeEnd?> CancelledAsync(RequestSender sender)
    {
        if (sender.ClientGone || sender.Refused is not { } refused)
        {
            Error = new ProxyError(FailureCause.ClientClosed);
            if (!sender.BodyDone)
                Upstream!.Connection.Abort();
            return HttpExchangeEnd.Gone;
        }

        Upstream!.Connection.Abort();
        if (_status == 0)
            return await FailAsync(refused.Error, refused.Status, mayContinue: false, bodyPending: true);
        Error = refused.Error;
        return Cut(sender);
    }

    /// <summary>
    /// The client has the beginning of an answer. A reset that is sent while it sends makes it fail before it reads that, and takes
    /// away what it has yet to take (RFC 9112, section 9.6).
    /// </summary>
    private HttpExchangeEnd Cut(RequestSender sender) =>
        !sender.BodyDone || _client.Connection.Delivery is { IsComplete: false } ? HttpExchangeEnd.AbortWhenRead : HttpExchangeEnd.Abort;

    /// <summary>Answers with an error of ours. Nothing of a final response has gone to the client.</summary>
    private async ValueTask<HttpExchangeEnd> FailAsync(ProxyError error, int status, bool mayContinue, bool bodyPending)
    {
        Error = error;
        _status = status == 0 ? HttpStatusMapper.Map(error.Cause).Status : status;
        if (_toClient.HasPending)
            _toClient.Release();

        // How long the client takes for the page is nothing that a worker should wait for.
        if (Upstream is not null)
            await Upstream.DisposeAsync();
        Upstream = null;
        var info = new HttpReplyInfo(_workerId, _attempts == 0 && _reused ? 1 : _attempts);
        return await _client.RefuseAsync(new HttpReject(error, _status), info, mayContinue, bodyPending, _outer);
    }

    private HttpClientWatch NewWatch() => new(_client.Connection, _client.Settings.Descriptors, _client.Time, _cancel);
}
