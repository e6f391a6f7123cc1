namespace TorBalancer.Transport.Sockets;

/// <summary>A tunnel whose bytes a second are limited: it waits between two reads.</summary>
internal sealed partial class SocketTunnel
{
    /// <summary>Reserves a piece and returns its size when its turn has come; at once when the tunnel ends.</summary>
    private async ValueTask<int> WaitForTurnAsync(BandwidthPace pace)
    {
        int piece = Math.Min(pace.Piece, BufferSize);

        // A wait of ours is no silence of the peers.
        Interlocked.Increment(ref _waiting);
        try
        {
            await pace.WaitAsync(piece, _waits!.Token);
        }
        catch (OperationCanceledException)
        {
            // The read that follows finds the tunnel cut.
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }

        return piece;
    }

    private void EndWaits()
    {
        try
        {
            _waits?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The tunnel has ended meanwhile.
        }
    }
}
