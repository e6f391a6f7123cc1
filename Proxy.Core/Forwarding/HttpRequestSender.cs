using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Forwarding;

/// <summary>
/// The request's side of an exchange: head and body to the upstream, then a watch over the client until the answer is over.
/// </summary>
/// <param name="client">The client, and the head of its request.</param>
/// <param name="toUpstream">Where it goes; the head has been added.</param>
/// <param name="watch">Over the client.</param>
/// <param name="mayResend">
/// The request may be sent once more over another stream, as long as nothing of it is lost and no answer has begun.
/// </param>
/// <param name="exchange">Cancelled to end the exchange.</param>
/// <param name="outer">The connection's token.</param>
internal sealed class HttpRequestSender(
    HttpServerConnection client, HttpOutput toUpstream, HttpClientWatch watch, bool mayResend, CancellationTokenSource exchange,
    CancellationToken outer)
{
    private readonly HttpBodyPump? _pump = client.Head.Body == HttpBodyKind.None ? null : new(client.Connection.Input, toUpstream);

    // Set when the request could be sent a second time, over another connection, as long as the answer has not begun.
    private readonly TaskCompletionSource? _answerBegan =
        mayResend && client.Head.Body != HttpBodyKind.None ? new(TaskCreationOptions.RunContinuationsAsynchronously) : null;

    private Task _running = Task.CompletedTask;
    private volatile bool _bodyDone;
    private volatile bool _stopping;
    private bool _sawStop;
    private bool _stopped;

    /// <summary>All of the request was sent.</summary>
    public bool BodyDone => _bodyDone;

    /// <summary>The client has sent all of it; it may still be on its way to the upstream.</summary>
    public bool BodyTaken => _pump is null or { SourceDone: true };

    /// <summary>Part of the body was taken from the client: the request cannot be sent a second time.</summary>
    public bool Touched => _pump is { Touched: true };

    /// <summary>Its body is not what it should be: the answer to it. Null while nothing is wrong.</summary>
    public HttpReject? Refused { get; private set; }

    public bool ClientGone => watch.Gone;

    public void Start() => _running = RunAsync();

    /// <summary>The upstream has answered: no other will be asked.</summary>
    public void AnswerBegan() => _answerBegan?.TrySetResult();

    /// <summary>Stops what still runs; once is enough. The exchange is cancelled if part of the request was not sent.</summary>
    public async ValueTask StopAsync()
    {
        if (_stopped)
            return;
        _stopped = true;
        _stopping = true;
        AnswerBegan();
        bool cut = !_bodyDone;
        if (cut)
        {
            await exchange.CancelAsync();
            client.Connection.Input.CancelPendingRead();
        }

        try
        {
            await _running;
        }
        catch (OperationCanceledException)
        {
            // our own, or the caller's token, which the caller sees by itself
        }

        if (cut && !_sawStop && !watch.Gone)
            client.Connection.Input.TakeBackCancel();
        await watch.StopAsync();
    }

    private async Task RunAsync()
    {
        var token = exchange.Token;
        var head = client.Head;
        if (_pump is null)
        {
            // What may become a tunnel's has left before.
            await (head.IsUpgrade ? toUpstream.FlushAsync(token) : toUpstream.FlushSoonAsync(token));
            _bodyDone = true;
        }
        else
        {
            var plan = new HttpBodyPlan(head.Body, head.ContentLength, head.Body == HttpBodyKind.Chunked, Lenient: false);
            var end = await _pump.RunAsync(plan, outer, token);
            _sawStop = end == HttpBodyEnd.Stopped;
            switch (end)
            {
                case HttpBodyEnd.Complete:
                    _bodyDone = true;
                    break;
                case HttpBodyEnd.SourceMalformed or HttpBodyEnd.SourceTooLarge:
                    Refused = end == HttpBodyEnd.SourceMalformed
                        ? HttpReject.BadRequest("the request body is not valid chunked coding")
                        : HttpReject.TooLarge(431, "chunk extensions or trailers that are too large");
                    await exchange.CancelAsync();
                    return;
                case HttpBodyEnd.SourceClosed or HttpBodyEnd.SourceBroken:
                    watch.SetGone();
                    return;
                case HttpBodyEnd.SinkBroken:
                    await DropAsync();
                    return;
                default:
                    return;
            }
        }

        toUpstream.Release();

        // StopAsync awaits this method before it stops the watch, so a watch that starts here is always stopped
        if (!_stopping)
            watch.Start(outer);
    }

    /// <summary>
    /// The origin takes no more, but may have answered, and its own end will show. What the client sends on is read and dropped
    /// meanwhile: it could wait for room to send for as long as the answer waits for it to read.
    /// </summary>
    private async ValueTask DropAsync()
    {
        toUpstream.Release();
        if (_answerBegan is not null)
            await _answerBegan.Task;
        var input = client.Connection.Input;
        long turn = 0;
        while (!_stopping)
        {
            var read = await input.ReceiveAsync(outer);
            if (read.IsBroken)
            {
                watch.SetGone();
                return;
            }

            var buffer = read.Result.Buffer;
            long count = buffer.Length;
            _sawStop = read.Result.IsCanceled;
            input.AdvanceTo(_sawStop ? buffer.Start : buffer.End);
            if (_sawStop || read.Result.IsCompleted)
                return;
            if ((turn += count) >= LingeringClose.BytesInATurn)
            {
                turn = 0;
                await Task.Yield();
            }
        }
    }
}
