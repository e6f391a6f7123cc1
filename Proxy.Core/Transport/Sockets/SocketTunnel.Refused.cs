using System.Buffers;
using System.Net.Sockets;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Sockets;

/// <summary>A worker's side that takes nothing more while the client still sends.</summary>
internal sealed partial class SocketTunnel
{
    private async ValueTask SinkBrokeAsync(TunnelEnd fault, bool fromClient)
    {
        EndWhenDrained(fault);
        Interlocked.MemoryBarrier();
        if (fromClient && settings.LeavesClient && !_clientFinished)
            await DropAsync();
    }

    /// <summary>
    /// While the other direction still gives the client what had arrived, what the client sends is read and dropped: it could wait for
    /// room to send for as long as that direction waits for it to read.
    /// </summary>
    private async ValueTask DropAsync()
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            while (await client.Socket.ReceiveAsync(buffer.AsMemory(), SocketFlags.None, _clientReads.Token) > 0)
            {
            }
        }
        catch (SocketException)
        {
            End(TunnelEnd.ClientReset);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void UpstreamClosed()
    {
        Interlocked.CompareExchange(ref _end, (int)TunnelEnd.UpstreamClosed, NotEnded);
        Interlocked.CompareExchange(ref _end, (int)TunnelEnd.UpstreamClosed, (int)TunnelEnd.UpstreamReset);
        upstream.Abort();
        StopReadingClient();
    }

    /// <summary>
    /// The worker's stream has ended and its connection is over. A reset that came behind a FIN is told as EPIPE (tcp_reset in the
    /// kernel's tcp_input.c), to the write that heard of it or, when there was none, to whoever asks.
    /// </summary>
    private async ValueTask<bool> FinishedBeforeItBrokeAsync()
    {
        // A write that fails on a broken connection does so at once: after a few turns of the others at the most.
        const int turns = 1000;
        if (!settings.LeavesClient || !upstream.IsBroken || _upstreamFinished)
            return false;
        if (_refusal == SocketError.Success && TakeUpstreamError() is not 0 and var error)
            return error == Errno.BrokenPipe;

        // The kernel tells it once. Where it has nothing to tell, a write has heard of it and may not have said so here yet.
        for (int turn = 0; turn < turns && _sending && _refusal == SocketError.Success; turn++)
            await Task.Yield();
        return _refusal == SocketError.Shutdown;
    }

    private int TakeUpstreamError()
    {
        Span<byte> error = stackalloc byte[sizeof(int)];
        return upstream.Socket.GetRawSocketOption(OptionNumbers.SolSocket, OptionNumbers.SoError, error) == sizeof(int)
            ? BitConverter.ToInt32(error)
            : 0;
    }
}
