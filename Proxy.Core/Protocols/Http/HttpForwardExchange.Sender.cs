namespace TorBalancer.Protocols.Http;

internal sealed partial class HttpForwardExchange
{
    /// <summary>The request's side: head and body to the upstream, then a watch over the client until the answer is over.</summary>
    private sealed class RequestSender(HttpForwardExchange exchange, HttpClientWatch watch)
    {
        private readonly HttpBodyPump _pump = new(exchange._client.Connection.Input, exchange._toUpstream);

        // Set when the request could be sent a second time, over another connection, as long as the answer has not begun.
        private readonly TaskCompletionSource? _answerBegan =
            exchange._reused && exchange._client.Head.Body != HttpBodyKind.None ? new(TaskCreationOptions.RunContinuationsAsynchronously) : null;

        private Task _running = Task.CompletedTask;
        private volatile bool _bodyDone;
        private volatile bool _stopping;
        private bool _sawStop;
        private bool _stopped;

        /// <summary>All of the request was sent.</summary>
        public bool BodyDone => _bodyDone;

        /// <summary>The client has sent all of it; it may still be on its way to the upstream.</summary>
        public bool BodyTaken => _pump.SourceDone || exchange._client.Head.Body == HttpBodyKind.None;

        /// <summary>Part of the body was taken from the client: the request cannot be sent a second time.</summary>
        public bool Touched => _pump.Touched;

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
                await exchange._cancel.CancelAsync();
                exchange._client.Connection.Input.CancelPendingRead();
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
                exchange._client.Connection.Input.TakeBackCancel();
            await watch.StopAsync();
        }

        private async Task RunAsync()
        {
            var token = exchange._cancel.Token;
            var head = exchange._client.Head;
            if (head.Body == HttpBodyKind.None)
            {
                await exchange._toUpstream!.FlushAsync(token);
                _bodyDone = true;
            }
            else
            {
                var plan = new HttpBodyPlan(head.Body, head.ContentLength, head.Body == HttpBodyKind.Chunked, Lenient: false);
                var end = await _pump.RunAsync(plan, exchange._outer, token);
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
                        await exchange._cancel.CancelAsync();
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

            exchange._toUpstream!.Release();

            // StopAsync awaits this method before it stops the watch, so a watch that starts here is always stopped
            if (!_stopping)
                watch.Start(exchange._outer);
        }

        /// <summary>
        /// The origin takes no more, but may have answered, and its own end will show. What the client sends on is read and dropped
        /// meanwhile: it could wait for room to send for as long as the answer waits for it to read.
        /// </summary>
        private async ValueTask DropAsync()
        {
            exchange._toUpstream!.Release();
            if (_answerBegan is not null)
                await _answerBegan.Task;
            var input = exchange._client.Connection.Input;
            long turn = 0;
            while (!_stopping)
            {
                var read = await input.ReceiveAsync(exchange._outer);
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
}
