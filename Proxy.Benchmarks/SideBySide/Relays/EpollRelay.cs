using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>
/// A relay over edge-triggered epoll, by the rules of the daemon's engine: sockets are registered once, a short read has emptied its
/// socket, a read that fills the scratch memory starts splicing, and what was read is written before the next read.
/// </summary>
internal sealed unsafe class EpollRelay(int listener, int[] workers)
{
    public const int ScratchSize = 16 * 1024;

    private const int Listener = -1;
    private const int AcceptsInARow = 64;
    private const int Rounds = 16;
    private const int SmallSplice = 8 * 1024;
    private const int SmallSplicesToCopy = 5;

    private readonly Epoll _epoll = new();
    private readonly PipePool _pipes = new(PipePool.UsualLimit, mostLarge: 0);
    private readonly RelayTargets _targets = new(workers);
    private readonly byte* _scratch = (byte*)NativeMemory.Alloc(ScratchSize);
    private readonly List<EpollPair> _pairs = [];
    private readonly Stack<EpollPair> _free = new();
    private readonly Queue<EpollPair> _again = new();

    public void Run()
    {
        _epoll.Add(listener, Native.EpollIn, Listener);
        while (true)
        {
            int ready = _epoll.Wait(_again.Count > 0 ? 0 : -1);
            for (int left = _again.Count; left > 0; left--)
            {
                var pair = _again.Dequeue();
                pair.Queued = false;
                if (pair.Open)
                    Serve(pair, pair.Up, pair.Down);
                if (pair.Open)
                    Serve(pair, pair.Down, pair.Up);
            }

            for (int i = 0; i < ready; i++)
            {
                int id = _epoll.IdOf(i);
                if (id == Listener)
                    AcceptAll();
                else
                    OnEvents(_pairs[id >> 1], (id & 1) != 0, _epoll.EventsOf(i));
            }
        }
    }

    private void AcceptAll()
    {
        for (int i = 0; i < AcceptsInARow; i++)
        {
            int client = Libc.Accept(listener, null, null, Libc.SockNonBlock | Libc.SockCloExec);
            if (client < 0)
                return;
            int worker = _targets.Connect();
            if (worker < 0)
            {
                Libc.Close(client);
                continue;
            }

            if (!_free.TryPop(out var pair))
                _pairs.Add(pair = new EpollPair(_pairs.Count));
            pair.Begin(client, worker);
            const uint interest = Libc.EpollIn | Libc.EpollOut | Libc.EpollRdHup | Libc.EpollEdge;
            _epoll.Add(client, interest, pair.Index << 1);
            _epoll.Add(worker, interest, (pair.Index << 1) | 1);
        }
    }

    /// <summary>
    /// An event of this batch may be for sockets that are closed by now: then it says too much, and costs one call that finds nothing.
    /// </summary>
    private void OnEvents(EpollPair pair, bool ofWorker, uint events)
    {
        if (!pair.Open)
            return;
        const uint end = Libc.EpollErr | Libc.EpollHup | Libc.EpollRdHup;
        var socket = ofWorker ? pair.Worker : pair.Client;
        socket.Readable |= (events & (Libc.EpollIn | end)) != 0;
        socket.HangUp |= (events & end) != 0;
        socket.Writable |= (events & (Libc.EpollOut | Libc.EpollErr)) != 0;
        if (ofWorker)
            Serve(pair, pair.Down, pair.Up);
        else
            Serve(pair, pair.Up, pair.Down);
    }

    /// <param name="outward">The direction whose source has something to tell.</param>
    /// <param name="inward">The other one, which goes on if its sink was all that it waited for.</param>
    private void Serve(EpollPair pair, EpollDirection outward, EpollDirection inward)
    {
        bool again = false;
        if (!Move(outward, inward, ref again) || (inward.HasLeft && !Move(inward, outward, ref again)) || (outward.Done && inward.Done))
        {
            Close(pair);
            return;
        }

        if (!again || pair.Queued)
            return;
        pair.Queued = true;
        _again.Enqueue(pair);
    }

    private void Close(EpollPair pair)
    {
        pair.Open = false;
        ReturnPipe(pair.Up);
        ReturnPipe(pair.Down);
        Libc.Close(pair.Client.Fd);
        Libc.Close(pair.Worker.Fd);
        _free.Push(pair);
    }

    /// <summary>False when a socket is broken.</summary>
    private bool Move(EpollDirection direction, EpollDirection other, ref bool again)
    {
        for (int round = 0; round < Rounds; round++)
        {
            if (direction.Done)
                return true;
            if (direction.HasLeft && !Flush(direction))
                return false;
            if (direction.HasLeft)
                return true;
            if (direction.Ended)
            {
                direction.Done = true;
                if (!other.Done)
                    Libc.Shutdown(direction.Sink.Fd, Libc.ShutWrite);
                ReturnPipe(direction);
                return true;
            }

            if (!direction.Source.Readable)
            {
                ReturnPipe(direction);
                return true;
            }

            if (direction.Splices)
                direction.Pipe ??= _pipes.Rent();
            nint count = direction.Splices && direction.Pipe is { } pipe ? Splice(direction, pipe) : Copy(direction);
            if (count == 0)
                direction.Ended = true;
            else if (count < 0 && Libc.LastError != Native.Again)
                return false;
            else if (count < 0)
                direction.Source.Readable = false;
        }

        again = true;
        return true;
    }

    /// <summary>Writes what was read, as far as there is room. False when the sink is broken.</summary>
    private static bool Flush(EpollDirection direction)
    {
        if (!direction.Sink.Writable)
            return true;
        if (direction.LeftStart < direction.LeftEnd)
        {
            fixed (byte* left = direction.Left)
            {
                nint sent = Libc.Send(
                    direction.Sink.Fd, left + direction.LeftStart, (nuint)(direction.LeftEnd - direction.LeftStart), Libc.MsgNoSignal);
                if (!Wrote(direction, sent))
                    return false;
                direction.LeftStart += (int)Math.Max(sent, 0);
            }
        }

        if (direction.Pipe is not { Filled: > 0 } pipe || !direction.Sink.Writable)
            return true;
        nint moved = Libc.Splice(pipe.ReadEnd, null, direction.Sink.Fd, null, (nuint)pipe.Filled, Libc.SpliceMove | Libc.SpliceNonBlock);
        if (!Wrote(direction, moved))
            return false;
        pipe.Filled -= (int)Math.Max(moved, 0);
        return true;
    }

    private static bool Wrote(EpollDirection direction, nint count)
    {
        if (count >= 0)
            return true;
        direction.Sink.Writable = false;
        return Libc.LastError == Native.Again;
    }

    private static nint Splice(EpollDirection direction, SplicePipe pipe)
    {
        nint count = Libc.Splice(
            direction.Source.Fd, null, pipe.WriteEnd, null, (nuint)pipe.Capacity, Libc.SpliceMove | Libc.SpliceNonBlock);
        if (count <= 0)
            return count;
        pipe.Filled = (int)count;
        direction.SmallSplices = count < SmallSplice ? direction.SmallSplices + 1 : 0;
        direction.Splices = direction.SmallSplices < SmallSplicesToCopy;
        return count;
    }

    private nint Copy(EpollDirection direction)
    {
        nint count = Libc.Receive(direction.Source.Fd, _scratch, ScratchSize, 0);
        if (count <= 0)
            return count;
        if (count < ScratchSize && !direction.Source.HangUp)
            direction.Source.Readable = false;
        direction.Splices = count == ScratchSize;
        direction.SmallSplices = 0;

        // A worker that is not connected yet says the same as one that takes nothing now.
        nint sent = Libc.Send(direction.Sink.Fd, _scratch, (nuint)count, Libc.MsgNoSignal);
        if (sent < 0 && Libc.LastError != Native.Again)
            return -1;
        sent = Math.Max(sent, 0);
        direction.LeftStart = 0;
        direction.LeftEnd = (int)(count - sent);
        if (sent < count)
        {
            direction.Sink.Writable = false;
            new ReadOnlySpan<byte>(_scratch + sent, direction.LeftEnd).CopyTo(direction.Left);
        }

        return count;
    }

    private void ReturnPipe(EpollDirection direction)
    {
        if (direction.Pipe is not { } pipe)
            return;
        direction.Pipe = null;
        _pipes.Return(pipe);
    }
}
