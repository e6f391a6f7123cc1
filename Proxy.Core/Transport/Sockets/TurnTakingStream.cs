using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>
/// A socket's stream, behind whose reader others have their turn: a peer that sends faster than its bytes are dealt with never makes a read
/// wait, and as many of them as the pool has threads would keep everybody else from it.
/// </summary>
internal sealed class TurnTakingStream(Socket socket) : NetworkStream(socket, ownsSocket: false)
{
    /// <summary>Bytes that were there at once behind which the reader goes on behind what else the pool has to do.</summary>
    internal const int BytesInATurn = 64 * 1024;

    private int _atOnce;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = base.ReadAsync(buffer, cancellationToken);
        if (!read.IsCompletedSuccessfully)
        {
            _atOnce = 0;
            return read;
        }

        int count = read.Result;
        if ((_atOnce += count) < BytesInATurn)
            return ValueTask.FromResult(count);
        _atOnce = 0;
        return BehindOthersAsync(count);
    }

    private static async ValueTask<int> BehindOthersAsync(int count)
    {
        await Task.Yield();
        return count;
    }
}
