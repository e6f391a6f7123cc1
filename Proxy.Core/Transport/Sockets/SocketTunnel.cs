using System.Buffers;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>Both directions of a tunnel by copying: the managed twin of the splice engine.</summary>
internal sealed partial class SocketTunnel(
    SocketConnection client, SocketConnection upstream, TunnelSettings settings, TimeProvider time) : IRunningTunnel, IDisposable
{
    // One rented buffer for each direction while data is in flight; large enough that a bulk stream costs few system calls.
    private const int BufferSize = 64 * 1024;

    private const int NotEnded = -1;

    private readonly CancellationTokenSource _clientReads = new();
    private int _end = NotEnded;

    // Set before FIN is sent to that side, read by the other direction.
    private volatile bool _clientFinished, _upstreamFinished;
    private long _lastActivity;
    private long _lastAnswer;
    private volatile bool _answered;

    // What the worker's side refused the client's bytes with; Success while it has not.
    private volatile SocketError _refusal = SocketError.Success;
    private volatile bool _sending;

    private readonly PacedTurns? _turns = PacedTurns.Of(settings.Control.Pace);

    /// <summary>Tells the owner whatever happens: nobody else would ever end the connection.</summary>
    public async Task RunAsync(ITunnelOwner owner)
    {
        var end = TunnelEnd.Aborted;
        Exception? fault = null;
        try
        {
            end = await RunAsync();
        }
        catch (Exception failure)
        {
            fault = failure;
            End(TunnelEnd.Aborted);
            settings.Control.End();
        }

        Dispose();
        owner.TunnelEnded(end, fault);
    }

    private async ValueTask<TunnelEnd> RunAsync()
    {
        _lastActivity = time.GetTimestamp();
        await using var idle = settings.IdleTimeout > TimeSpan.Zero
            ? time.CreateTimer(static state => ((SocketTunnel)state!).CheckIdle(), this, settings.IdleStep, settings.IdleStep)
            : null;

        settings.Control.Begin(this);
        var up = PumpAsync(client, upstream, fromClient: true);
        var down = PumpAsync(upstream, client, fromClient: false);
        await Task.WhenAll(up, down);
        settings.Control.End();
        if (_end == NotEnded)
            return TunnelEnd.Finished;

        // What ended by a fault must not look finished to the side that is still there.
        upstream.Abort();
        if (settings.LeavesClient && _end == (int)TunnelEnd.UpstreamReset && (_clientFinished || FinishedAfterAll))
            _end = (int)TunnelEnd.UpstreamClosed;
        if (_end != (int)TunnelEnd.UpstreamClosed && !LeavesClient((TunnelEnd)_end))
            client.Abort();
        return (TunnelEnd)_end;
    }

    public void Dispose()
    {
        _clientReads.Dispose();
        _turns?.Dispose();
    }

    TimeSpan IRunningTunnel.SinceMoved => _turns is { IsWaiting: true } ? TimeSpan.Zero
        : time.GetElapsedTime(Volatile.Read(ref _lastActivity));

    void IRunningTunnel.Stop() => End(TunnelEnd.Aborted);

    private void CheckIdle()
    {
        if (_turns is { IsWaiting: true })
            Volatile.Write(ref _lastActivity, time.GetTimestamp());
        else if (time.GetElapsedTime(Volatile.Read(ref _lastActivity)) >= settings.IdleTimeout)
            End(TunnelEnd.IdleTimeout);
    }

    /// <summary>
    /// Cuts both sides, which ends both pumps. The first reason stays, but the cut is made in any case: one direction may
    /// have ended and given the reason while the other still drains into a side that takes nothing.
    /// </summary>
    private void End(TunnelEnd reason)
    {
        Interlocked.CompareExchange(ref _end, (int)reason, NotEnded);
        bool leavesClient = LeavesClient(reason);
        upstream.Abort();
        if (leavesClient)
            StopReadingClient();
        else
            client.Abort();

        // Last: what waits goes on within this call, and is to find the tunnel cut.
        _turns?.End();
    }

    /// <summary>
    /// Only the worker's side is cut, and what came last may be an answer that the client has yet to read. A reset proves nothing of
    /// it: tor closes a stream that the target has finished, and what it has not read of the client makes that a reset (RFC 9293,
    /// section 3.6.1).
    /// </summary>
    private bool LeavesClient(TunnelEnd reason) =>
        settings.LeavesClient && reason == TunnelEnd.UpstreamReset && _answered
        && time.GetElapsedTime(Volatile.Read(ref _lastAnswer)) <= TunnelSettings.RecentAnswer
        && (_refusal != SocketError.Success || _sending || client.HasUnread || client.Delivery is { IsComplete: false });

    private void StopReadingClient()
    {
        try
        {
            _clientReads.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The tunnel has ended meanwhile.
        }
    }

    /// <summary>
    /// A side that cannot be written to any more may still have sent something before it broke: the other direction
    /// goes on until it has read that and then the error, so nothing is lost that had arrived.
    /// </summary>
    private void EndWhenDrained(TunnelEnd reason) => Interlocked.CompareExchange(ref _end, (int)reason, NotEnded);

    /// <summary>
    /// Moves one direction until its source says FIN, which is passed on, or until something breaks, which ends the
    /// tunnel. Invariant: what was read has been written before the next read, so the slower side sets the pace.
    /// </summary>
    private async Task PumpAsync(SocketConnection source, SocketConnection sink, bool fromClient)
    {
        var readFault = fromClient ? TunnelEnd.ClientReset : TunnelEnd.UpstreamReset;
        var writeFault = fromClient ? TunnelEnd.UpstreamReset : TunnelEnd.ClientReset;
        var reads = fromClient && settings.LeavesClient ? _clientReads.Token : CancellationToken.None;
        byte[]? buffer = null;
        try
        {
            if (!await ForwardBufferedAsync(source, sink, fromClient))
            {
                await SinkBrokeAsync(writeFault, fromClient);
                return;
            }

            while (true)
            {
                int count, most = BufferSize;
                try
                {
                    if (buffer is null)
                    {
                        // Wait for data before a buffer is rented: an idle tunnel holds none.
                        await source.Socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, reads);
                        buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
                    }

                    if (_turns is not null)
                        await _turns.WaitAsync(most = Math.Min(_turns.Piece, BufferSize));
                    count = await source.Socket.ReceiveAsync(buffer.AsMemory(0, most), SocketFlags.None, reads);
                    _turns?.Return(most - count);
                }
                catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
                {
                    End(readFault);
                    return;
                }

                if (count == 0)
                {
                    if (!fromClient && EndedBroken())
                        return;
                    if (WasReset(source, fromClient))
                    {
                        // It may have broken between the two questions.
                        if (fromClient || !EndedBroken())
                            End(readFault);
                        return;
                    }

                    if (fromClient)
                        _upstreamFinished = true;
                    else
                        _clientFinished = true;
                    sink.ShutdownSend();

                    // One of the two must see the other, when the worker finishes and breaks in the same moment.
                    Interlocked.MemoryBarrier();
                    if (!fromClient && _refusal != SocketError.Success)
                        StopReadingClient();
                    return;
                }

                if (!await TrySendAsync(sink, buffer.AsMemory(0, count), fromClient))
                {
                    await SinkBrokeAsync(writeFault, fromClient);
                    return;
                }

                Count(fromClient, count);
                if (count < most && source.Socket.Available == 0)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = null;
                }
            }
        }
        catch (ObjectDisposedException)
        {
            End(readFault);
        }
        catch (OperationCanceledException)
        {
            // The worker's side is gone: what the client still sends is its owner's to drop.
        }
        catch
        {
            // A fault of ours: the other direction must not go on alone.
            End(TunnelEnd.Aborted);
            throw;
        }
        finally
        {
            if (buffer is not null)
                ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// Whether an end of the stream is a reset in disguise. The kernel tells of a reset once; when the other direction's write
    /// heard of it, the read sees an end like any other, maybe before that write has said so here. A side that was told of our
    /// end (FIN) has no write left that could have.
    /// </summary>
    private bool WasReset(SocketConnection source, bool fromClient)
    {
        if (Volatile.Read(ref _end) != NotEnded)
            return true;
        if (!OperatingSystem.IsLinux() || source.Socket.AddressFamily == AddressFamily.Unix)
            return false;
        Span<byte> state = stackalloc byte[1];
        source.Socket.GetRawSocketOption(OptionNumbers.IpProtoTcp, OptionNumbers.TcpInfo, state);

        // In this order: a FIN that the other direction sends meanwhile closes the socket for good reason, and is marked before it is sent.
        return state[0] == Delivery.Closed && !(fromClient ? _clientFinished : _upstreamFinished);
    }

    private async ValueTask<bool> ForwardBufferedAsync(SocketConnection source, SocketConnection sink, bool fromClient)
    {
        while (source.TryTakeBuffered(out var result))
        {
            foreach (var segment in result.Buffer)
            {
                _turns?.Reserve(segment.Length);
                if (!await TrySendAsync(sink, segment, fromClient))
                    return false;
                Count(fromClient, segment.Length);
            }

            source.Input.AdvanceTo(result.Buffer.End);
        }

        return true;
    }

    private async ValueTask<bool> TrySendAsync(SocketConnection sink, ReadOnlyMemory<byte> data, bool fromClient)
    {
        try
        {
            if (fromClient)
                _sending = true;
            while (!data.IsEmpty)
            {
                int sent = await sink.Socket.SendAsync(data, SocketFlags.None, CancellationToken.None);
                data = data[sent..];
            }

            if (fromClient)
                _sending = false;
            return true;
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            if (fromClient)
                _refusal = (failure as SocketException)?.SocketErrorCode ?? SocketError.OperationAborted;
            return false;
        }
    }

    private void Count(bool fromClient, int bytes)
    {
        long now = time.GetTimestamp();
        if (fromClient)
            settings.Control.AddFromClient(bytes);
        else
            Answered(bytes, now);
        Volatile.Write(ref _lastActivity, now);
    }

    private void Answered(int bytes, long now)
    {
        settings.Control.AddFromUpstream(bytes);
        if (!settings.LeavesClient)
            return;
        Volatile.Write(ref _lastAnswer, now);
        _answered = true;
    }
}
