using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Security.Authentication;

namespace TorBalancer.Transport.Tls;

/// <summary>
/// Both directions of a tunnel whose client speaks TLS, by copying: what is encrypted cannot be spliced. Otherwise as the engines' own:
/// half-close, resets, limits and what is left of the client are the same.
/// </summary>
internal sealed class TlsTunnel(
    TlsConnection client, TransportConnection upstream, TunnelSettings settings, TimeProvider time, ITunnelOwner owner)
    : IRunningTunnel, IDisposable
{
    // Two records of the largest size (RFC 8446, section 5.1); rented while data is in flight.
    private const int BufferSize = 32 * 1024;

    /// <summary>Bytes that one direction moves before the thread's other connections get their turn.</summary>
    private const int BytesInATurn = 256 * 1024;

    private const int NotEnded = -1;

    private readonly CancellationTokenSource _clientReads = new();

    private readonly PacedTurns? _turns = PacedTurns.Of(settings.Control.Pace);
    private int _end = NotEnded;
    private long _lastActivity = time.GetTimestamp();
    private long _lastAnswer;
    private volatile bool _answered, _upstreamRefuses, _upstreamFinished;

    TimeSpan IRunningTunnel.SinceMoved => _turns is { IsWaiting: true } ? TimeSpan.Zero
        : time.GetElapsedTime(Volatile.Read(ref _lastActivity));

    void IRunningTunnel.Stop() => End(TunnelEnd.Aborted);

    /// <summary>On the client's thread. Tells the owner whatever happens: nobody else would ever end the connection.</summary>
    public async Task RunAsync()
    {
        var end = TunnelEnd.Aborted;
        Exception? fault = null;
        try
        {
            end = await MoveBothAsync();
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

    public void Dispose()
    {
        _clientReads.Dispose();
        _turns?.Dispose();
    }

    private async ValueTask<TunnelEnd> MoveBothAsync()
    {
        await using var idle = settings.IdleTimeout > TimeSpan.Zero
            ? time.CreateTimer(static state => ((TlsTunnel)state!).CheckIdle(), this, settings.IdleStep, settings.IdleStep)
            : null;
        settings.Control.Begin(this);
        var up = MoveUpAsync();
        var down = MoveDownAsync();
        await Task.WhenAll(up, down);
        settings.Control.End();
        if (_end == NotEnded)
            return TunnelEnd.Finished;

        // What ended by a fault must not look finished to the side that is still there. A worker that had finished before it took no more
        // has given all of its answer.
        upstream.Abort();
        if (settings.LeavesClient && _upstreamFinished && _end == (int)TunnelEnd.UpstreamReset)
            _end = (int)TunnelEnd.UpstreamClosed;
        else if (!LeavesClient((TunnelEnd)_end))
            client.Abort();
        return (TunnelEnd)_end;
    }

    private void CheckIdle()
    {
        if (_turns is { IsWaiting: true })
            Volatile.Write(ref _lastActivity, time.GetTimestamp());
        else if (time.GetElapsedTime(Volatile.Read(ref _lastActivity)) >= settings.IdleTimeout)
            End(TunnelEnd.IdleTimeout);
    }

    /// <summary>Cuts both sides, which ends both directions. The first reason stays, but the cut is made in any case.</summary>
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

    /// <summary>Only the worker's side is cut, and what came last may be an answer that the client has yet to read.</summary>
    private bool LeavesClient(TunnelEnd reason) =>
        settings.LeavesClient && reason == TunnelEnd.UpstreamReset && _answered
        && time.GetElapsedTime(Volatile.Read(ref _lastAnswer)) <= TunnelSettings.RecentAnswer
        && (_upstreamRefuses || client.Delivery is { IsComplete: false });

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

    private async Task MoveUpAsync()
    {
        byte[]? buffer = null;
        try
        {
            while (client.TryTakeBuffered(out var read))
            {
                foreach (var segment in read.Buffer)
                {
                    if (!await GiveUpstreamAsync(segment))
                        return;
                }

                client.Input.AdvanceTo(read.Buffer.End);
            }

            for (int turn = 0; ;)
            {
                // Waits for data before a buffer is rented: an idle tunnel holds none.
                if (buffer is null)
                {
                    int nothing = await client.Plain.ReadAsync(Memory<byte>.Empty, _clientReads.Token);
                    Debug.Assert(nothing == 0, "a read of nothing takes nothing");
                    buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
                }

                int count = await client.Plain.ReadAsync(buffer.AsMemory(0, BufferSize), _clientReads.Token);
                if (count == 0)
                {
                    upstream.ShutdownSend();
                    return;
                }

                if (!await GiveUpstreamAsync(buffer.AsMemory(0, count)))
                    return;
                turn += count;
                if (turn >= BytesInATurn)
                {
                    turn = 0;
                    await new Turn(client);
                }
                else if (count < BufferSize / 2)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = null;
                }
            }
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException or AuthenticationException)
        {
            End(TunnelEnd.ClientReset);
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
    /// False when the worker takes no more. What it had sent before is still given to the client, and what the client sends meanwhile is
    /// read and dropped: it could wait for room to send for as long as the other direction waits for it to read.
    /// </summary>
    private async ValueTask<bool> GiveUpstreamAsync(ReadOnlyMemory<byte> data)
    {
        try
        {
            if (_turns is not null)
                await _turns.WaitAsync(data.Length);
            await upstream.WriteAsync(data);
            settings.Control.AddFromClient(data.Length);
            Volatile.Write(ref _lastActivity, time.GetTimestamp());
            return true;
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            _upstreamRefuses = true;
            Interlocked.CompareExchange(ref _end, (int)TunnelEnd.UpstreamReset, NotEnded);
        }

        // The direction from the worker ends this when it has nothing more; it may have ended before.
        Interlocked.MemoryBarrier();
        if (!settings.LeavesClient || _upstreamFinished)
            return false;
        byte[] dropped = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            while (await client.Plain.ReadAsync(dropped, _clientReads.Token) > 0)
            {
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(dropped);
        }

        return false;
    }

    private async Task MoveDownAsync()
    {
        try
        {
            for (long turn = 0; ;)
            {
                var read = await TakeFromUpstreamAsync();
                if (read.IsCanceled)
                    return;
                foreach (var segment in read.Buffer)
                {
                    if (_turns is not null)
                        await _turns.WaitAsync(segment.Length);
                    await client.WriteAsync(segment);
                    settings.Control.AddFromUpstream(segment.Length);
                    Volatile.Write(ref _lastActivity, time.GetTimestamp());
                    Volatile.Write(ref _lastAnswer, _lastActivity);
                    _answered = true;
                }

                turn += read.Buffer.Length;
                upstream.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    _upstreamFinished = true;
                    client.ShutdownSend();

                    // One of the two must see the other, when the worker finishes and breaks in the same moment.
                    Interlocked.MemoryBarrier();
                    if (_upstreamRefuses)
                        StopReadingClient();
                    return;
                }

                if (turn >= BytesInATurn)
                {
                    turn = 0;
                    await new Turn(client);
                }
            }
        }
        catch (Exception failure) when (
            failure is IOException or ObjectDisposedException or AuthenticationException or InvalidOperationException)
        {
            End(TunnelEnd.ClientReset);
        }
        catch
        {
            End(TunnelEnd.Aborted);
            throw;
        }
    }

    /// <summary>Cancelled when the worker's side is broken, which has ended the tunnel.</summary>
    private async ValueTask<ReadResult> TakeFromUpstreamAsync()
    {
        try
        {
            return await upstream.Input.ReadAsync();
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            End(TunnelEnd.UpstreamReset);
            return new ReadResult(default, isCanceled: true, isCompleted: false);
        }
    }
}
