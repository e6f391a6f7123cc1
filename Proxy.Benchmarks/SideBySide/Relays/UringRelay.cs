using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>
/// A relay over io_uring: one accept and one receive for each socket go on until they are cancelled, and one call in each round of
/// the loop submits what the last round led to and waits. It has ways for whatever may be done in several:
/// <list type="bullet">
/// <item>bulk data as in <see cref="UringBulk"/>;</item>
/// <item>plain descriptors, or direct ones that only the ring knows. Those save the look into the process's table, but their
/// half-close must go through IORING_OP_SHUTDOWN, which the kernel always hands to a worker thread.</item>
/// </list>
/// </summary>
internal sealed unsafe partial class UringRelay(Ring ring, BufferRing buffers, int listener, int[] workers, UringBulk bulk, bool direct)
{
    // No more than a process may have of the others. The first half is for clients, whose number accept chooses; each worker's is that of its client and this.
    private const int DirectClients = 9_500;

    // More pieces than that wait to be sent: the sink is slower, and receiving has to stop.
    private const int MostWaiting = 8;

    private const int SetStatusFlags = 4;

    private readonly RelayTargets _targets = new(workers);
    private readonly int* _on = (int*)NativeMemory.Alloc(sizeof(int));
    private readonly byte _file = direct ? Uring.FixedFile : (byte)0;
    private UringPair?[] _pairs = new UringPair?[DirectClients];

    /// <summary>Returns only when the kernel refuses something that nothing goes without.</summary>
    public int Run()
    {
        *_on = 1;
        int error = direct ? ring.RegisterFiles(2 * DirectClients, DirectClients) : 0;
        if (error != 0)
            return Refused("direct descriptors", error);

        // On a socket that does not block, an operation fails where it should wait.
        Libc.FileControl(listener, SetStatusFlags, 0);
        Accept();
        while (true)
        {
            int result = ring.SubmitAndWait();
            if (result < 0)
                return Refused("submissions", -result);
            while (ring.TryTake(out var completion))
            {
                if ((UringKind)(completion.UserData >> 1 & 0x7F) == UringKind.Accept)
                {
                    if (completion.Result < 0 && completion.Result != -Uring.Again)
                        return Refused("to accept", -completion.Result);
                    if (completion.Result >= 0)
                        Begin(completion.Result);
                    if ((completion.Flags & Uring.HasMore) == 0)
                        Accept();
                }
                else if (completion.UserData != 0)
                {
                    Complete(completion);
                }
            }
        }
    }

    private static int Refused(string what, int error)
    {
        Console.Error.WriteLine($"the kernel refuses {what}: error {error}");
        return 1;
    }

    private void Accept()
    {
        var accept = ring.Next();
        accept->Operation = Uring.Accept;
        accept->Fd = listener;
        accept->Priority = Uring.AcceptMultishot;
        accept->OperationFlags = direct ? 0 : (uint)Libc.SockCloExec;
        accept->FileIndex = direct ? Uring.AnyFileIndex : 0;
        accept->UserData = (ulong)UringKind.Accept << 1;
    }

    private void Begin(int client)
    {
        if (client >= _pairs.Length)
            Array.Resize(ref _pairs, client * 2);
        var pair = _pairs[client] ??= new UringPair(client);
        int worker = direct ? CreateDirect(client + DirectClients) : RelayTargets.CreateSocket(0);
        pair.Begin(worker);
        if (worker < 0)
        {
            pair.Over = true;
            Close(client);
            return;
        }

        var connect = Next(pair.Up, UringKind.Connect, worker);
        connect->Operation = Uring.Connect;
        connect->Address = (ulong)_targets.NextAddress();
        connect->Offset = RelayTargets.AddressLength;
        pair.Up.Busy = true;
        Receive(pair.Up);
    }

    /// <summary>Both are done as they are submitted, before the connect behind them looks for its socket. If they fail, it finds none.</summary>
    private int CreateDirect(int number)
    {
        var socket = ring.Next();
        socket->Operation = Uring.Socket;
        socket->Flags = Uring.SkipSuccess;
        socket->Fd = Native.AfInet;
        socket->Offset = Native.SockStream;
        socket->FileIndex = (uint)number + 1;
        var option = ring.Next();
        option->Operation = Uring.Command;
        option->Flags = Uring.SkipSuccess | Uring.FixedFile;
        option->Fd = number;
        option->Offset = Uring.SetSocketOption;
        option->Address = Native.IpProtoTcp | ((ulong)Native.TcpNoDelay << 32);
        option->FileIndex = sizeof(int);
        option->Third = (ulong)_on;
        return number;
    }

    private void Complete(in Uring.Completion completion)
    {
        var pair = _pairs[completion.UserData >> 8]!;
        var direction = (completion.UserData & 1) == 0 ? pair.Up : pair.Down;
        if ((completion.Flags & Uring.HasMore) == 0)
            pair.UnderWay--;
        var kind = (UringKind)(completion.UserData >> 1 & 0x7F);
        if (!pair.Over)
            Handle(direction, kind, completion);
        else if (kind == UringKind.Receive && (completion.Flags & Uring.HasBuffer) != 0)
            buffers.Return((ushort)(completion.Flags >> Uring.BufferShift));
        else if (kind == UringKind.SpliceIn && completion.Result > 0)
            direction.Pipe!.Filled = completion.Result;
        if (pair.Over && pair.UnderWay == 0)
            End(pair);
    }

    private void Handle(UringDirection direction, UringKind kind, in Uring.Completion completion)
    {
        switch (kind)
        {
            case UringKind.Connect when completion.Result == 0:
                direction.Busy = false;
                Receive(direction.Other);
                break;
            case UringKind.Receive:
                Received(direction, completion);
                break;
            case UringKind.BulkReceive:
                BulkReceived(direction, completion.Result);
                break;
            case UringKind.Send:
                Sent(direction, completion.Result);
                break;
            case UringKind.SourceReady:
                direction.Receiving = false;
                break;
            case UringKind.SinkReady:
                direction.Busy = false;
                break;
            case UringKind.SpliceIn:
                SplicedIn(direction, completion.Result);
                break;
            case UringKind.SpliceOut:
                SplicedOut(direction, completion.Result);
                break;
            case UringKind.Shutdown:
                break;
            default:
                Break(direction.Pair);
                break;
        }

        if (!direction.Pair.Over)
            Advance(direction);
    }

    /// <summary>Begins what is next in this direction: what was read is written before anything else is read in bulk.</summary>
    private void Advance(UringDirection direction)
    {
        if (direction.Busy || direction.Done)
            return;
        if (direction.Holds)
        {
            Send(direction);
        }
        else if (direction.Waiting.TryDequeue(out var piece))
        {
            direction.Current = piece;
            direction.Holds = true;
            direction.Sent = 0;
            Send(direction);
        }
        else if (direction.Pipe is { Filled: > 0 })
        {
            MoveBulk(direction);
        }
        else if (direction.Ended)
        {
            Finish(direction);
        }
        else if (!direction.Receiving)
        {
            if (direction.Bulk)
                MoveBulk(direction);
            else
                Receive(direction);
        }
    }

    private void Receive(UringDirection direction)
    {
        direction.Receiving = true;
        ReleaseBulk(direction);
        var receive = Next(direction, UringKind.Receive, direction.Source);
        receive->Operation = Uring.Receive;
        receive->Flags |= Uring.BufferSelect;
        receive->BufferGroup = BufferRing.Group;

        // What a client says first may be there already; a worker has to be waited for.
        receive->Priority = (ushort)(Uring.ReceiveMultishot | (direction == direction.Pair.Down ? Uring.PollFirst : 0));
    }

    private void Received(UringDirection direction, in Uring.Completion completion)
    {
        direction.Receiving = (completion.Flags & Uring.HasMore) != 0;
        if ((completion.Flags & Uring.HasBuffer) != 0)
        {
            ushort buffer = (ushort)(completion.Flags >> Uring.BufferShift);
            if (completion.Result > 0)
                direction.Waiting.Enqueue(new UringPiece(buffer, completion.Result, OfBulk: false));
            else
                buffers.Return(buffer);
        }

        if (completion.Result > 0)
        {
            if (!direction.Bulk && (completion.Result == BufferRing.Size || direction.Waiting.Count > MostWaiting))
                BeginBulk(direction);
        }
        else if (completion.Result == 0)
        {
            direction.Ended = true;
        }
        else if (completion.Result == -Uring.NoBuffers)
        {
            BeginBulk(direction);
        }
        else if (completion.Result == -Uring.Again)
        {
            AwaitSource(direction);
        }
        else if (completion.Result != -Uring.Canceled)
        {
            Break(direction.Pair);
        }
    }

    private void Send(UringDirection direction)
    {
        var piece = direction.Current;
        direction.Busy = true;
        var send = Next(direction, UringKind.Send, direction.Sink);
        send->Operation = Uring.Send;
        send->Address = (ulong)((piece.OfBulk ? direction.BulkBuffer : buffers[piece.Buffer]) + direction.Sent);
        send->Length = (uint)(piece.Length - direction.Sent);
        send->OperationFlags = Native.MsgNoSignal | MessageWaitAll;
    }

    private void Sent(UringDirection direction, int result)
    {
        direction.Busy = false;
        if (result == -Uring.Again)
        {
            AwaitSink(direction);
            return;
        }

        if (result < 0)
        {
            Break(direction.Pair);
            return;
        }

        direction.Sent += result;
        if (direction.Sent == direction.Current.Length)
            Drop(direction);
    }

    private void Drop(UringDirection direction)
    {
        if (direction.Holds && !direction.Current.OfBulk)
            buffers.Return(direction.Current.Buffer);
        direction.Holds = false;
    }

    private void Finish(UringDirection direction)
    {
        direction.Done = true;
        ReleaseBulk(direction);
        if (direction.Other.Done)
        {
            direction.Pair.Over = true;
        }
        else if (direct)
        {
            var shutdown = Next(direction, UringKind.Shutdown, direction.Sink);
            shutdown->Operation = Uring.Shutdown;
            shutdown->Length = Libc.ShutWrite;
        }
        else
        {
            Libc.Shutdown(direction.Sink, Libc.ShutWrite);
        }
    }

    /// <summary>A socket is broken: all that is under way on both is called off.</summary>
    private void Break(UringPair pair)
    {
        pair.Over = true;
        foreach (int fd in (ReadOnlySpan<int>)[pair.Client, pair.Worker])
        {
            var cancel = ring.Next();
            cancel->Operation = Uring.Cancel;
            cancel->Fd = fd;
            cancel->OperationFlags = Uring.CancelAll | Uring.CancelFd | (direct ? Uring.CancelFixed : 0);
        }
    }

    private void End(UringPair pair)
    {
        foreach (var direction in (ReadOnlySpan<UringDirection>)[pair.Up, pair.Down])
        {
            Drop(direction);
            while (direction.Waiting.TryDequeue(out var piece))
                buffers.Return(piece.Buffer);
            ReleaseBulk(direction);
        }

        Close(pair.Client);
        Close(pair.Worker);
    }

    private void Close(int fd)
    {
        var close = ring.Next();
        close->Operation = Uring.Close;
        close->Flags = Uring.SkipSuccess;
        close->Fd = direct ? 0 : fd;
        close->FileIndex = direct ? (uint)fd + 1 : 0;
    }

    private Uring.Submission* Next(UringDirection direction, UringKind kind, int fd)
    {
        direction.Pair.UnderWay++;
        var next = ring.Next();
        next->Fd = fd;
        next->Flags = _file;
        next->UserData = direction.UserData(kind);
        return next;
    }
}
