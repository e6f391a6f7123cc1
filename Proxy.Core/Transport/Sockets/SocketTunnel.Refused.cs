using System.Buffers;
using System.Net.Sockets;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Sockets;

/// <summary>A worker's side that takes nothing more while the client still sends.</summary>
internal sealed partial class SocketTunnel
{
    // Of the direction from the worker alone, until both are over.
    private int _upstreamError;
    private bool _waitsForRefusal;

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
    /// Ends a tunnel whose worker has finished and broke then. A reset that came behind a FIN is told as EPIPE (tcp_reset in the kernel's
    /// tcp_input.c), once: to the write that heard of it or, when there was none, to whoever asks. False: it is not over, or was reset.
    /// </summary>
    private bool EndedBroken()
    {
        if (!settings.LeavesClient || !upstream.IsBroken || _upstreamFinished)
            return false;
        if (_upstreamError == 0 && _refusal == SocketError.Success)
            _upstreamError = TakeUpstreamError();
        if (_upstreamError == Errno.BrokenPipe || (_upstreamError == 0 && _refusal == SocketError.Shutdown))
        {
            UpstreamClosed();
            return true;
        }

        if (_upstreamError != 0 || _refusal != SocketError.Success)
            return false;

        // The kernel has nothing to tell: a write has heard of it and has not said so here yet. When both directions are over it has.
        _waitsForRefusal = true;
        EndWhenDrained(TunnelEnd.UpstreamReset);
        StopReadingClient();
        return true;
    }

    /// <summary>Of a worker that broke: what the write heard says that it had finished before.</summary>
    private bool FinishedAfterAll => _waitsForRefusal && _refusal == SocketError.Shutdown;

    private int TakeUpstreamError()
    {
        Span<byte> error = stackalloc byte[sizeof(int)];
        return upstream.Socket.GetRawSocketOption(OptionNumbers.SolSocket, OptionNumbers.SoError, error) == sizeof(int)
            ? BitConverter.ToInt32(error)
            : 0;
    }
}
