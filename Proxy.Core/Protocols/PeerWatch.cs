using System.IO.Pipelines;
using TorBalancer.Transport;

namespace TorBalancer.Protocols;

/// <summary>How a watched peer was last seen.</summary>
internal enum PeerState : byte
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
/// <param name="input">
/// The peer's bytes; nobody else reads it between Start and the end of StopAsync, but <paramref name="loss"/>, when the read has ended.
/// </param>
/// <param name="readAhead">Bytes that the peer may send meanwhile; one more, and watching ends.</param>
/// <param name="loss">Called when the peer has finished or broken, and awaited before the task of Start ends.</param>
internal sealed class PeerWatch(PipeReader input, int readAhead, Func<PeerState, ValueTask>? loss = null)
{
    /// <summary>How often it is looked whether a peer that has sent FIN is gone.</summary>
    public static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    /// <summary>For those who stop by their token alone.</summary>
    public static readonly Task Never = new TaskCompletionSource().Task;

    private Task<PeerState>? _watching;
    private volatile bool _isOver = true;
    private volatile bool _sawCancel;
    private bool _askedToStop;

    /// <summary>True when the read has ended of itself, or never began; what is done about a loss may still go on.</summary>
    public bool IsOver => _isOver;

    /// <summary>
    /// Ends when the peer is no longer just quiet (and its loss was seen to), or with <see cref="PeerState.Open"/> when it was stopped.
    /// </summary>
    public Task<PeerState> Start(CancellationToken cancellationToken)
    {
        _sawCancel = _askedToStop = _isOver = false;
        return _watching = WatchAsync(cancellationToken);
    }

    /// <summary>
    /// For a peer that has sent FIN: ends with true when it turns out to be gone or has to give its place to another, with false
    /// when it is stopped. A FIN says "nothing more to send" and no more than that (RFC 9293, section 3.6): whoever sends one may
    /// well wait for an answer.
    /// </summary>
    public static async Task<bool> IsGoneBehindFinAsync(
        TransportConnection peer, DescriptorBudget descriptors, TimeProvider time, Task stopped, CancellationToken cancellationToken)
    {
        peer.ProbePeer();
        var place = descriptors.Finished.Add();
        try
        {
            // Those who wait already have pressed the others before this one could be found.
            if (descriptors.IsWaitedFor)
                descriptors.Finished.EndOldest();
            Task over = Task.WhenAny(stopped, place.Value.Task);
            while (!stopped.IsCompleted && !cancellationToken.IsCancellationRequested)
            {
                if (peer.IsBroken || place.Value.Task.IsCompleted)
                    return true;
                await over.WaitAsync(CheckInterval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            return false;
        }
        finally
        {
            descriptors.Finished.Remove(place);
        }
    }

    /// <summary>Ends the pending read and gives the reader back.</summary>
    public async ValueTask<PeerState> StopAsync()
    {
        if (_watching is not { } watching)
            return PeerState.Open;
        RequestStop();
        var state = await watching;
        Stopped(state);
        return state;
    }

    /// <summary>
    /// The first half of <see cref="StopAsync"/>, for one who awaits the task of Start already: a task with two awaiters
    /// sends the second one to the thread pool.
    /// </summary>
    public void RequestStop()
    {
        if (!_isOver)
        {
            _askedToStop = true;
            input.CancelPendingRead();
        }
    }

    /// <summary>The second half, when that task has ended.</summary>
    public void Stopped(PeerState state)
    {
        _watching = null;

        // it ended of itself at the same moment: the cancellation must not hit the next read
        if (_askedToStop && !_sawCancel && state != PeerState.Broken)
            input.TakeBackCancel();
    }

    private async Task<PeerState> WatchAsync(CancellationToken cancellationToken)
    {
        PeerState state;
        try
        {
            while (!TryEnd(await input.ReadAsync(cancellationToken), out state))
            {
            }
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            state = PeerState.Broken;
        }
        finally
        {
            _isOver = true;
        }

        if (loss is not null && state is PeerState.Finished or PeerState.Broken)
            await loss(state);
        return state;
    }

    private bool TryEnd(ReadResult result, out PeerState state)
    {
        var buffer = result.Buffer;
        state = result.IsCanceled ? PeerState.Open : result.IsCompleted ? PeerState.Finished : PeerState.Ahead;
        if (state == PeerState.Ahead && buffer.Length <= readAhead)
        {
            input.AdvanceTo(buffer.Start, buffer.End);
            return false;
        }

        _sawCancel = result.IsCanceled;
        input.AdvanceTo(buffer.Start, buffer.Start);
        return true;
    }
}
