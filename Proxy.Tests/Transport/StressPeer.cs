using System.Net.Sockets;

namespace TorBalancer.Tests.Transport;

/// <summary>How a peer's own sending ends.</summary>
internal enum StressFate
{
    /// <summary>FIN when everything is sent; goes on receiving.</summary>
    Finish,

    /// <summary>The same, but nothing is sent before the other side has finished.</summary>
    FinishSecond,

    /// <summary>RST in the middle.</summary>
    Reset,

    /// <summary>Sends its part and leaves the rest to the other side.</summary>
    Stay,
}

/// <summary>How the receiving ended.</summary>
internal enum StressEnd
{
    Finished,
    Reset,
}

/// <summary>
/// One end of a tunnel: sends pieces of random size at a random pace, and holds every byte that arrives against what was sent.
/// </summary>
/// <param name="sends">The stream that it sends.</param>
/// <param name="receives">The stream that it expects.</param>
internal sealed class StressPeer(Socket socket, long sends, long receives, StressFate fate, int pieces, Random random)
{
    private const int LargestPiece = 200_000, SmallPiece = 2_000, LargestRead = 64 * 1024;

    // Reading and sending run side by side; the random numbers of one must not depend on the other.
    private readonly Random _readRandom = new(random.Next());
    private readonly TaskCompletionSource _otherFinished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool _broken;

    public long Sent { get; private set; }

    public long Received { get; private set; }

    public async Task<StressEnd> RunAsync(CancellationToken token)
    {
        var sending = SendAsync(token);
        var end = await ReceiveAsync(token);
        _otherFinished.TrySetResult();
        await sending;

        // The kernel tells of a reset once. When the sending heard of it, the receiving sees an end like any other.
        return _broken ? StressEnd.Reset : end;
    }

    private async Task SendAsync(CancellationToken token)
    {
        try
        {
            if (fate == StressFate.FinishSecond)
                await _otherFinished.Task.WaitAsync(token);
            for (int piece = 0; piece < pieces; piece++)
            {
                await SendPieceAsync(random.Next(8) == 0 ? random.Next(1, LargestPiece) : random.Next(1, SmallPiece), token);
                await PauseAsync(random);
            }

            if (fate is StressFate.Finish or StressFate.FinishSecond)
            {
                socket.Shutdown(SocketShutdown.Send);
            }
            else if (fate == StressFate.Reset)
            {
                socket.LingerState = new LingerOption(true, 0);
                socket.Dispose();
            }
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            _broken = true;
        }
    }

    private async Task SendPieceAsync(int length, CancellationToken token)
    {
        while (length > 0)
        {
            int sent = await socket.SendAsync(StressData.At(sends, Sent, length), SocketFlags.None, token);
            Sent += sent;
            length -= sent;
        }
    }

    private async Task<StressEnd> ReceiveAsync(CancellationToken token)
    {
        var buffer = new byte[_readRandom.Next(4) == 0 ? 512 : LargestRead];
        while (true)
        {
            int count;
            try
            {
                count = await socket.ReceiveAsync(buffer.AsMemory(0, _readRandom.Next(1, buffer.Length)), SocketFlags.None, token);
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                return StressEnd.Reset;
            }

            if (count == 0)
                return StressEnd.Finished;
            if (!StressData.IsAt(receives, Received, buffer.AsSpan(0, count)))
                throw new InvalidDataException(
                    $"stream {receives} is not what was sent, somewhere from byte {Received} to {Received + count}");
            Received += count;
            await PauseAsync(_readRandom);
        }
    }

    /// <summary>Lets others go first, some times; no clock is involved.</summary>
    private static async Task PauseAsync(Random random)
    {
        for (int turns = random.Next(16) - 12; turns > 0; turns--)
            await Task.Yield();
    }
}
