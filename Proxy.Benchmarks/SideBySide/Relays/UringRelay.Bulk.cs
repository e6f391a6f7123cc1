using System.Runtime.InteropServices;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

internal sealed unsafe partial class UringRelay
{
    private const int MessageWaitAll = 0x100;
    private const int BulkSize = 256 * 1024;
    private const int SmallRead = 8 * 1024;
    private const int SmallReadsToEnd = 5;
    private const int CallsInARow = 16;

    private readonly Stack<nint> _bulkBuffers = new();
    private readonly PipePool _pipes = new(PipePool.UsualLimit, mostLarge: 0);

    /// <summary>From here on the buffers of the ring are too small; the receive that fills them is called off.</summary>
    private void BeginBulk(UringDirection direction)
    {
        direction.Bulk = true;
        direction.SmallReads = 0;
        if (direction.Receiving)
        {
            var cancel = ring.Next();
            cancel->Operation = Uring.Cancel;
            cancel->Address = direction.UserData(UringKind.Receive);
        }

        if (bulk == UringBulk.Copy || direction.Pair.NonBlocking)
            return;
        direction.Pair.NonBlocking = true;
        Libc.FileControl(direction.Source, SetStatusFlags, Libc.SockNonBlock);
        Libc.FileControl(direction.Sink, SetStatusFlags, Libc.SockNonBlock);
    }

    private void MoveBulk(UringDirection direction)
    {
        if (direction.Pair.NonBlocking)
            direction.Pipe ??= _pipes.Rent();
        if (direction.Pipe is not { } pipe)
        {
            BulkReceive(direction);
            return;
        }

        if (bulk == UringBulk.Call)
        {
            CallSplice(direction, pipe);
            return;
        }

        // What it splices from is in a field of its own, which in this structure is that of the file's index.
        direction.Busy = true;
        bool outward = pipe.Filled > 0;
        var splice = Next(direction, outward ? UringKind.SpliceOut : UringKind.SpliceIn, outward ? direction.Sink : pipe.WriteEnd);
        splice->Operation = Uring.Splice;
        splice->FileIndex = (uint)(outward ? pipe.ReadEnd : direction.Source);
        splice->Offset = splice->Address = ulong.MaxValue;
        splice->Length = (uint)(outward ? pipe.Filled : pipe.Capacity);
        splice->OperationFlags = Libc.SpliceMove | Libc.SpliceNonBlock;
    }

    private void BulkReceive(UringDirection direction)
    {
        if (direction.BulkBuffer is null)
            direction.BulkBuffer = _bulkBuffers.TryPop(out nint spare) ? (byte*)spare : (byte*)NativeMemory.AlignedAlloc(BulkSize, 4096);
        direction.Receiving = true;
        var receive = Next(direction, UringKind.BulkReceive, direction.Source);
        receive->Operation = Uring.Receive;
        receive->Address = (ulong)direction.BulkBuffer;
        receive->Length = BulkSize;
    }

    private void BulkReceived(UringDirection direction, int result)
    {
        direction.Receiving = false;
        if (result > 0)
        {
            direction.Waiting.Enqueue(new UringPiece(0, result, OfBulk: true));
            CountBulk(direction, result);
        }
        else if (result == 0)
        {
            direction.Ended = true;
        }
        else if (result == -Uring.Again)
        {
            AwaitSource(direction);
        }
        else
        {
            Break(direction.Pair);
        }
    }

    private void CallSplice(UringDirection direction, SplicePipe pipe)
    {
        for (int i = 0; i < CallsInARow && MayMove(direction); i++)
        {
            nint result = pipe.Filled > 0
                ? Libc.Splice(pipe.ReadEnd, null, direction.Sink, null, (nuint)pipe.Filled, Libc.SpliceMove | Libc.SpliceNonBlock)
                : Libc.Splice(direction.Source, null, pipe.WriteEnd, null, (nuint)pipe.Capacity, Libc.SpliceMove | Libc.SpliceNonBlock);
            int outcome = result < 0 ? -Libc.LastError : (int)result;
            if (pipe.Filled > 0)
                SplicedOut(direction, outcome);
            else
                SplicedIn(direction, outcome);
        }

        // Others get their turn; whatever is next here, a poll comes back with it.
        if (direction.Ended)
            Finish(direction);
        else if (MayMove(direction) || (!direction.Bulk && !direction.Busy && !direction.Pair.Over))
            AwaitSink(direction);
    }

    private static bool MayMove(UringDirection direction) =>
        !direction.Busy && !direction.Receiving && !direction.Ended && !direction.Pair.Over && (direction.Bulk || direction.Pipe is { Filled: > 0 });

    private void SplicedIn(UringDirection direction, int result)
    {
        direction.Busy = false;
        if (result > 0)
        {
            direction.Pipe!.Filled = result;
            CountBulk(direction, result);
        }
        else if (result == 0)
        {
            direction.Ended = true;
        }
        else if (result == -Uring.Again)
        {
            ReturnPipe(direction);
            AwaitSource(direction);
        }
        else
        {
            Break(direction.Pair);
        }
    }

    private void SplicedOut(UringDirection direction, int result)
    {
        direction.Busy = false;
        if (result > 0)
            direction.Pipe!.Filled -= result;
        else if (result == -Uring.Again)
            AwaitSink(direction);
        else
            Break(direction.Pair);
    }

    private void CountBulk(UringDirection direction, int count)
    {
        direction.SmallReads = count < SmallRead ? direction.SmallReads + 1 : 0;
        direction.Bulk = direction.SmallReads < SmallReadsToEnd;
    }

    private void AwaitSource(UringDirection direction)
    {
        direction.Receiving = true;
        Poll(direction, UringKind.SourceReady, direction.Source, Uring.PollIn | Uring.PollHangUp);
    }

    private void AwaitSink(UringDirection direction)
    {
        direction.Busy = true;
        Poll(direction, UringKind.SinkReady, direction.Sink, Uring.PollOut);
    }

    private void Poll(UringDirection direction, UringKind kind, int fd, uint events)
    {
        var poll = Next(direction, kind, fd);
        poll->Operation = Uring.PollAdd;
        poll->OperationFlags = events;
    }

    private void ReleaseBulk(UringDirection direction)
    {
        ReturnPipe(direction);
        if (direction.BulkBuffer is null)
            return;
        _bulkBuffers.Push((nint)direction.BulkBuffer);
        direction.BulkBuffer = null;
    }

    private void ReturnPipe(UringDirection direction)
    {
        if (direction.Pipe is not { } pipe)
            return;
        direction.Pipe = null;
        _pipes.Return(pipe);
    }
}
