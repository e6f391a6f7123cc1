using TorBalancer.Transport;

namespace TorBalancer.Protocols;

/// <summary>
/// Ends connections so that the peer reads what it was sent last (RFC 9112, section 9.6). Closing a socket that has unread input makes
/// the kernel send RST (RFC 9293, section 3.6.1), and so does closing one that the peer still sends to. Whoever still sends then
/// fails before it looks for an answer, and some kernels drop what it has not read. So what comes is read and dropped, however much
/// it is, until the peer has finished or has had its time.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="crowded">Called whenever <see cref="MostAtATime"/> makes one end early.</param>
/// <remarks>Thread-safe. Connections that wait hold no buffer while the peer is silent.</remarks>
internal sealed class LingeringClose(TimeProvider time, Action? crowded = null)
{
    /// <summary>How long nothing may come from a peer that has been told of the end and has acknowledged everything.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(5);

    /// <summary>The same for a peer that is to be told of the end by a reset, and waits for it if it sends nothing.</summary>
    public static readonly TimeSpan SilenceBeforeReset = TimeSpan.FromSeconds(2);

    /// <summary>How long a peer may go on sending, and may leave what it was sent unacknowledged without taking any of it.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>How long a peer that takes its answer slowly is waited for in all.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>What is left of all these times when the daemon stops.</summary>
    public static readonly TimeSpan WhenStopping = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Connections that may be waited for at a time. One more ends the one that has been waited for longest, which has had most of
    /// its time: whoever fills all places takes them from himself first.
    /// </summary>
    public const int MostAtATime = 1024;

    /// <summary>Bytes that are dropped in a row before others get their turn.</summary>
    internal const int BytesInATurn = 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly LinkedList<Wait> _waits = new();

    /// <summary>Connections that are waited for.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _waits.Count;
        }
    }

    /// <summary>
    /// Sends FIN, then reads and drops what comes until the peer has finished or its time is over. The caller closes. Never throws for
    /// what the network does or for its tokens.
    /// </summary>
    /// <param name="peer">Everything that it is to get has been written.</param>
    /// <param name="stopping">The daemon stops: see <see cref="WhenStopping"/>.</param>
    /// <param name="cancellationToken">Ends it at once.</param>
    public ValueTask FinishAsync(TransportConnection peer, CancellationToken stopping, CancellationToken cancellationToken)
    {
        try
        {
            peer.ShutdownSend();
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException or System.Net.Sockets.SocketException)
        {
            return ValueTask.CompletedTask;
        }

        return RunAsync(peer, Silence, stopping, cancellationToken);
    }

    /// <summary>As <see cref="FinishAsync"/> without FIN, for a stream that was cut: the caller resets the connection afterwards.</summary>
    public ValueTask BeforeResetAsync(TransportConnection peer, CancellationToken stopping, CancellationToken cancellationToken) =>
        RunAsync(peer, SilenceBeforeReset, stopping, cancellationToken, reset: true);

    private async ValueTask RunAsync(
        TransportConnection peer, TimeSpan silence, CancellationToken stopping, CancellationToken cancellationToken, bool reset = false)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var place = Enter(new Wait(over));
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, over.Token);
            var progress = new Progress(peer, time);
            while (await DropAsync(peer, silence, reset, progress, either.Token) && !either.IsCancellationRequested && progress.GoesOn())
            {
            }

            if (stopping.IsCancellationRequested && !over.IsCancellationRequested)
                await DropAsync(peer, WhenStopping, reset, progress, over.Token);
        }
        finally
        {
            await LeaveAsync(place);
        }
    }

    private LinkedListNode<Wait> Enter(Wait wait)
    {
        LinkedListNode<Wait> place;
        bool full;
        lock (_lock)
        {
            full = _waits.Count == MostAtATime;
            if (full)
            {
                var oldest = _waits.First!;
                _waits.Remove(oldest);
                oldest.Value.End();
            }

            place = _waits.AddLast(wait);
        }

        if (full)
            crowded?.Invoke();
        return place;
    }

    private Task LeaveAsync(LinkedListNode<Wait> place)
    {
        lock (_lock)
        {
            if (place.List is not null)
                _waits.Remove(place);
        }

        return place.Value.Ended;
    }

    /// <summary>
    /// Reads and drops for a time, or until it is cancelled. False when nothing more can come, and nothing is to be waited for.
    /// </summary>
    private async ValueTask<bool> DropAsync(
        TransportConnection peer, TimeSpan span, bool reset, Progress progress, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(span, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            long turn = 0;
            while (true)
            {
                var read = await peer.Input.ReceiveAsync(either.Token);
                if (read.IsBroken)
                    return false;
                long count = read.Result.Buffer.Length;
                peer.Input.AdvanceTo(read.Result.Buffer.End);
                progress.Dropped += count;
                if (read.Result.IsCompleted)
                    break;
                if ((turn += count) >= BytesInATurn)
                {
                    turn = 0;
                    await Task.Yield();
                    either.Token.ThrowIfCancellationRequested();
                }
            }

            // A FIN of ours reaches a peer that has finished in any case, once it is the kernel's. A reset would overtake what it has yet
            // to take.
            if (reset)
                await Task.Delay(Timeout.InfiniteTimeSpan, time, either.Token);
            else
                await peer.WrittenAsync(either.Token);
            return false;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
        catch (IOException)
        {
            // It broke while it was waited for.
            return false;
        }
    }

    /// <summary>One that may be told to end; under the lock.</summary>
    private sealed class Wait(CancellationTokenSource over)
    {
        /// <summary>Nothing uses the source any more when this is over.</summary>
        public Task Ended { get; private set; } = Task.CompletedTask;

        public void End() => Ended = over.CancelAsync();
    }

    /// <summary>Whether a peer still sends, or still takes what it was sent.</summary>
    private sealed class Progress(TransportConnection peer, TimeProvider time)
    {
        private readonly long _started = time.GetTimestamp();
        private long _tookAt = time.GetTimestamp();
        private long _acknowledged = peer.Delivery?.Acknowledged ?? 0;
        private long _droppedBefore;

        public long Dropped { get; set; }

        /// <summary>Asked after each silence's length.</summary>
        public bool GoesOn()
        {
            bool sends = Dropped != _droppedBefore;
            _droppedBefore = Dropped;
            var delivery = peer.Delivery;
            if (delivery is { } state && state.Acknowledged != _acknowledged)
            {
                _acknowledged = state.Acknowledged;
                _tookAt = time.GetTimestamp();
            }

            return (sends || delivery is { IsComplete: false })
                && time.GetElapsedTime(_tookAt) < Patience
                && time.GetElapsedTime(_started) < Longest;
        }
    }
}
