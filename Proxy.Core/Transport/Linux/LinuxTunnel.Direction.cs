using System.Buffers;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// One direction. Small amounts are copied through the loop's scratch, which costs two system calls and no second read; a
/// read that fills it means bulk, and from then on the bytes are spliced and never enter this process. Invariant: what was
/// read has been written before the next read, so the slower side sets the pace.
/// </summary>
internal sealed unsafe partial class LinuxTunnel
{
    /// <summary>After so many splices in a row that copying would have done as well, it copies again.</summary>
    private const int SmallSplicesToCopy = 5;

    private const int SmallSplice = 8 * 1024;

    private struct Direction(ArraySegment<byte> buffered, bool fromClient)
    {
        public readonly bool FromClient = fromClient;

        /// <summary>Read and not yet written; a borrowed array.</summary>
        public byte[]? Left = buffered.Array;
        public int LeftStart = buffered.Offset;
        public int LeftEnd = buffered.Offset + buffered.Count;

        /// <summary>Set while this direction splices.</summary>
        public SplicePipe? Pipe;
        public bool Splices;
        public byte SmallSplices;
        public bool Ended;
        public bool Done;

        /// <summary>What the sink is broken by; 0 while it is not.</summary>
        public int Refusal;

        /// <summary>The sink is broken: what the source still sends is read and dropped, so that it comes to read its answer.</summary>
        public bool Drops;

        public readonly TunnelEnd ReadFault => FromClient ? TunnelEnd.ClientReset : TunnelEnd.UpstreamReset;

        public readonly TunnelEnd WriteFault => FromClient ? TunnelEnd.UpstreamReset : TunnelEnd.ClientReset;

        public void Release(EventLoop loop)
        {
            if (Left is not null)
                ArrayPool<byte>.Shared.Return(Left);
            Left = null;
            if (Pipe is not null)
                loop.Pipes.Return(Pipe);
            Pipe = null;
        }
    }

    /// <summary>What one step came to.</summary>
    private enum Step : byte
    {
        /// <summary>Bytes moved; there may be more.</summary>
        Moved,

        /// <summary>The source is empty or the sink is full; an event will tell.</summary>
        Waits,

        /// <summary>Bytes moved, and it is another's turn: of a tunnel whose bytes a second are limited.</summary>
        TurnOver,

        /// <summary>The sink is broken.</summary>
        SinkBroken,

        /// <summary>The source is broken.</summary>
        SourceBroken,
    }

    private LinuxConnection Source(in Direction direction) => direction.FromClient ? _client : _upstream;

    private LinuxConnection Sink(in Direction direction) => direction.FromClient ? _upstream : _client;

    /// <summary>True when it stopped only to let others have their turn.</summary>
    private bool Move(ref Direction direction, ref Direction other)
    {
        long turn = Moved(direction.FromClient) + BytesInATurn;
        for (int round = 0; round < Rounds && Moved(direction.FromClient) < turn; round++)
        {
            if (direction.Done)
                return false;
            if (direction.Drops)
                return Drop(ref direction);
            var step = Flush(ref direction);
            if (step == Step.Moved)
            {
                if (direction.Ended)
                {
                    ReleaseIdlePipe(ref direction);
                    Finish(ref direction, other.Done || other.Drops);
                    return false;
                }

                step = !Source(direction).IsReadable ? Step.Waits
                    : _paces is { } paces ? ReadPaced(ref direction, paces.Of(direction.FromClient)) : Read(ref direction, int.MaxValue);
            }

            switch (step)
            {
                case Step.Waits:
                    ReleaseIdlePipe(ref direction);
                    return false;
                case Step.TurnOver:
                    return true;
                case Step.SourceBroken:
                    End(direction.ReadFault);
                    return false;
                case Step.SinkBroken:
                    EndWhenDrained(ref direction, ref other);
                    return false;
            }
        }

        return true;
    }

    /// <summary>Writes what was read; Moved when nothing is left.</summary>
    private Step Flush(ref Direction direction)
    {
        if (!Sink(direction).IsWritable)
        {
            // Data that arrives meanwhile wakes the loop too: nothing to ask the kernel for.
            return direction.Left is null && direction.Pipe is not { Filled: > 0 } ? Step.Moved : Step.Waits;
        }

        if (direction.Left is not null)
        {
            int sent = Sink(direction).TrySend(direction.Left.AsSpan(direction.LeftStart, direction.LeftEnd - direction.LeftStart));
            if (sent < 0)
                return Refused(ref direction, sent);
            Count(direction.FromClient, sent);
            direction.LeftStart += sent;
            if (direction.LeftStart < direction.LeftEnd)
                return Step.Waits;
            ArrayPool<byte>.Shared.Return(direction.Left);
            direction.Left = null;
        }

        if (direction.Pipe is { Filled: > 0 } pipe)
        {
            int sent = Sink(direction).TrySpliceFrom(pipe);
            if (sent < 0)
                return Refused(ref direction, sent);
            Count(direction.FromClient, sent);
            if (pipe.Filled > 0)
                return Step.Waits;
        }

        return Step.Moved;
    }

    private Step Read(ref Direction direction, int most)
    {
        if (direction.Splices && !Source(direction).IsUrgent)
        {
            direction.Pipe ??= _loop.Pipes.Rent();
            if (direction.Pipe is { } pipe)
                return Splice(ref direction, pipe, most);
        }

        return Copy(ref direction, most);
    }

    private Step Splice(ref Direction direction, SplicePipe pipe, int most)
    {
        int count = Source(direction).TrySpliceTo(pipe, most);
        if (count == 0)
        {
            // The end, or the mark of urgent data with the end behind it: only recv(2) can tell.
            Source(direction).SuspectHangUp();
            return Copy(ref direction, most);
        }

        if (count < 0)
            return Nothing(ref direction, count);
        if (count >= pipe.Capacity)
            _loop.Pipes.Enlarge(pipe);
        direction.SmallSplices = count < SmallSplice ? (byte)(direction.SmallSplices + 1) : (byte)0;
        if (direction.SmallSplices == SmallSplicesToCopy)
            direction.Splices = false;
        return Flush(ref direction);
    }

    private Step Copy(ref Direction direction, int most)
    {
        byte* scratch = _loop.Scratch;
        int count = Source(direction).TryReceive(scratch, Math.Min(most, EventLoop.ScratchSize));
        if (count <= 0)
            return Nothing(ref direction, count);
        if (count == EventLoop.ScratchSize && !direction.Splices)
        {
            direction.Splices = true;
            direction.SmallSplices = 0;
        }

        int sent = Sink(direction).TrySend(scratch, count);
        if (sent < 0)
            return Refused(ref direction, sent);
        int left = count - sent;
        if (left > 0)
        {
            // The scratch is everybody's: what found no room is put aside before anybody else runs.
            direction.Left = ArrayPool<byte>.Shared.Rent(left);
            direction.LeftStart = 0;
            direction.LeftEnd = left;
            new ReadOnlySpan<byte>(scratch + sent, left).CopyTo(direction.Left);
        }

        Count(direction.FromClient, sent);
        return left == 0 ? Step.Moved : Step.Waits;
    }

    private static Step Refused(ref Direction direction, int result)
    {
        direction.Refusal = -result;
        return Step.SinkBroken;
    }

    private static Step Nothing(ref Direction direction, int count)
    {
        if (count == 0)
            direction.Ended = true;
        return count == 0 ? Step.Moved : count == -Errno.TryAgain ? Step.Waits : Step.SourceBroken;
    }

    /// <summary>The source sent FIN and all of it has been written: the sink learns it. When both have, closing says it.</summary>
    private void Finish(ref Direction direction, bool otherDone)
    {
        direction.Done = true;
        if (!otherDone)
            Sink(direction).ShutdownSend();
    }

    /// <summary>
    /// The sink takes nothing any more, but may have sent something before it broke: the other direction goes on until it
    /// has read that, and then the error. Nothing that had arrived is lost. A client that sends on meanwhile is not kept from
    /// reading: it could wait for room to send for as long as the other direction waits for it.
    /// </summary>
    private void EndWhenDrained(ref Direction direction, ref Direction other)
    {
        direction.Drops = direction.FromClient && _settings.LeavesClient;
        direction.Done = !direction.Drops;
        direction.Release(_loop);
        if (_end == NotEnded)
            _end = (int)direction.WriteFault;
        if (other.Done)
            return;
        Sink(direction).SuspectHangUp();
        if (!_queued)
        {
            _queued = true;
            _loop.Post(this);
        }
    }

    /// <summary>True when it stopped only to let others have their turn.</summary>
    private bool Drop(ref Direction direction)
    {
        for (int round = 0; round < Rounds; round++)
        {
            int count = Source(direction).IsReadable ? Source(direction).TryReceive(_loop.Scratch, EventLoop.ScratchSize) : -Errno.TryAgain;
            if (count > 0)
                continue;
            if (count == 0)
                direction.Done = true;
            else if (count != -Errno.TryAgain)
                End(direction.ReadFault);
            return false;
        }

        return true;
    }

    /// <summary>Nothing is in flight: the pipe serves another tunnel meanwhile.</summary>
    private void ReleaseIdlePipe(ref Direction direction)
    {
        if (direction.Pipe is not { Filled: 0 } pipe)
            return;
        direction.Pipe = null;
        _loop.Pipes.Return(pipe);
    }

    private long Moved(bool fromClient) => fromClient ? _settings.Control.FromClient : _settings.Control.FromUpstream;

    private void Count(bool fromClient, int bytes)
    {
        if (fromClient)
            _settings.Control.AddFromClient(bytes);
        else
        {
            _settings.Control.AddFromUpstream(bytes);
            _lastAnswer = _loop.Now;
        }

        _lastActivity = _loop.Now;
    }
}
