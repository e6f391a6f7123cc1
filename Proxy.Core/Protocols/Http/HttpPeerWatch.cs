using System.IO.Pipelines;

namespace TorBalancer.Protocols.Http;

/// <summary>How a watched peer was last seen.</summary>
internal enum HttpPeerState : byte
{
    Open,

    /// <summary>It sent more than it may; it is not read further.</summary>
    Ahead,

    /// <summary>It sent FIN.</summary>
    Finished,

    /// <summary>It reset the connection.</summary>
    Broken,
}

/// <summary>
/// A read that is left pending only to notice that a peer goes away. What it reads stays in the reader, unexamined.
/// </summary>
/// <param name="input">The peer's bytes; nobody else reads it between Start and the end of StopAsync.</param>
/// <param name="readAhead">Bytes that the peer may send meanwhile; one more, and watching ends.</param>
internal sealed class HttpPeerWatch(PipeReader input, int readAhead)
{
    private Task<HttpPeerState>? _watching;
    private volatile bool _sawCancel;

    /// <summary>Ends when the peer is no longer just quiet, or with <see cref="HttpPeerState.Open"/> when it was stopped.</summary>
    public Task<HttpPeerState> Start(CancellationToken cancellationToken)
    {
        _sawCancel = false;
        return _watching = WatchAsync(cancellationToken);
    }

    /// <summary>Ends the pending read and gives the reader back.</summary>
    public async ValueTask<HttpPeerState> StopAsync()
    {
        if (_watching is not { } watching)
            return HttpPeerState.Open;
        _watching = null;
        if (watching.IsCompletedSuccessfully)
            return await watching;

        input.CancelPendingRead();
        var state = await watching;

        // it ended of itself at the same moment: the cancellation must not hit the next read
        if (!_sawCancel && state != HttpPeerState.Broken)
            input.TakeBackCancel();
        return state;
    }

    private async Task<HttpPeerState> WatchAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await input.ReceiveAsync(cancellationToken);
            if (read.IsBroken)
                return HttpPeerState.Broken;
            var buffer = read.Result.Buffer;
            bool tooMuch = buffer.Length > readAhead;
            if (read.Result.IsCanceled || read.Result.IsCompleted || tooMuch)
            {
                _sawCancel = read.Result.IsCanceled;
                input.AdvanceTo(buffer.Start, buffer.Start);
                return read.Result.IsCanceled ? HttpPeerState.Open : read.Result.IsCompleted ? HttpPeerState.Finished : HttpPeerState.Ahead;
            }

            input.AdvanceTo(buffer.Start, buffer.End);
        }
    }
}
