using TorBalancer.Interop;

namespace TorBalancer.Transport.Linux;

/// <summary>The system calls of a connection; on its loop's thread only.</summary>
internal sealed unsafe partial class LinuxConnection
{
    private const uint Watched = Libc.EpollIn | Libc.EpollRdHup | Libc.EpollPriority;

    /// <summary>Reads what is there: bytes, 0 at the end, or minus errno. EAGAIN makes the loop tell when there is more.</summary>
    public int TryReceive(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
            return TryReceive(start, buffer.Length);
    }

    public int TryReceive(byte* buffer, int length)
    {
        if (IsClosed)
            return -Errno.TryAgain;
        nint count = Libc.Receive(_fd, buffer, (nuint)length, 0);
        if (count < 0)
            return -ReadRefused();

        // The kernel tells of a reset once, and a message that was held back has heard of it.
        if (count == 0 && _hooks is { Refusal: Errno.ConnectionReset })
            return -Errno.ConnectionReset;

        // A short read emptied the socket: the next bytes are a new edge. Unless the end was announced, which is told
        // once, or it stopped at the mark of urgent data.
        if (count > 0 && count < length && (_flags & (Flags.HangUp | Flags.Urgent)) == 0)
            _flags &= ~Flags.Readable;
        return (int)count;
    }

    /// <summary>Writes as much as there is room for, minus errno when the connection is broken.</summary>
    /// <param name="data">What is written.</param>
    /// <param name="more">More is written at once: the kernel waits for it before it sends a segment that is not full.</param>
    public int TrySend(ReadOnlySpan<byte> data, bool more = false)
    {
        fixed (byte* start = data)
            return TrySend(start, data.Length, more);
    }

    public int TrySend(byte* data, int length, bool more = false)
    {
        return IsClosed ? -Errno.TryAgain : Send(data, length, more);
    }

    private int Send(ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
            return Send(start, data.Length, more: false);
    }

    private int Send(byte* data, int length, bool more)
    {
        int flags = more ? Libc.MsgNoSignal | Libc.MsgMore : Libc.MsgNoSignal;
        Loop.Pace.Interrupt();
        int sent = 0;
        while (sent < length)
        {
            nint count = Libc.Send(_fd, data + sent, (nuint)(length - sent), flags);
            if (count < 0)
            {
                int error = WriteRefused();
                return error is Errno.TryAgain ? sent : -error;
            }

            sent += (int)count;
        }

        return sent;
    }

    /// <summary>A write waits for room: nothing may go past it.</summary>
    public bool IsWriting => _writer is { IsBusy: true };

    internal override bool TryWriteSoon(ReadOnlySpan<byte> message)
    {
        if (!Loop.IsCurrent || IsClosed || IsWriting || _tunnel is not null
            || (_flags & (Flags.Holds | Flags.HangUp | Flags.Writable)) != Flags.Writable || !Loop.TryHold(this, message))
            return false;
        _flags |= Flags.Holds;
        return true;
    }

    internal override ValueTask WrittenAsync(CancellationToken cancellationToken)
    {
        if (Loop.IsCurrent)
            SendWhatIsHeld();
        return IsWriting ? _writer!.WriteAsync(default, cancellationToken) : ValueTask.CompletedTask;
    }

    /// <summary>The loop's: sends what it has held back for this connection.</summary>
    public void SendHeld(ReadOnlySpan<byte> message)
    {
        _flags &= ~Flags.Holds;
        int sent = Send(message);
        if (sent < 0)
            Hooks.Refusal = -sent;
        else if (sent < message.Length)
            (_writer ??= new LinuxWriter(this)).Owe(message[sent..].ToArray());
    }

    /// <summary>Before anything is done that must not go past it.</summary>
    public void SendWhatIsHeld()
    {
        if ((_flags & Flags.Holds) != 0)
            Loop.SendHeld();
    }

    /// <summary>As <see cref="TryReceive(Span{byte})"/>, into a pipe, no more than so many.</summary>
    public int TrySpliceTo(SplicePipe pipe, long most = int.MaxValue)
    {
        if (IsClosed)
            return -Errno.TryAgain;
        nint count = Libc.Splice(
            _fd, null, pipe.WriteEnd, null, (nuint)Math.Min(most, int.MaxValue), Libc.SpliceMove | Libc.SpliceNonBlock);
        if (count < 0)
            return -ReadRefused();
        Loop.Pace.Spliced((int)count);
        pipe.Filled += (int)count;
        return (int)count;
    }

    /// <summary>Empties a pipe as far as there is room: bytes written, or minus errno.</summary>
    public int TrySpliceFrom(SplicePipe pipe)
    {
        if (IsClosed)
            return -Errno.TryAgain;
        int sent = 0;
        while (pipe.Filled > 0)
        {
            nint count = Libc.Splice(pipe.ReadEnd, null, _fd, null, (nuint)pipe.Filled, Libc.SpliceMove | Libc.SpliceNonBlock);
            if (count <= 0)
            {
                int error = WriteRefused();
                return error is Errno.TryAgain ? sent : -error;
            }

            pipe.Filled -= (int)count;
            sent += (int)count;
        }

        return sent;
    }

    /// <summary>The loop tells of what arrives from now on, and of what is there already. Needed before anything is waited for.</summary>
    public void EnsureWatched()
    {
        if ((_flags & Flags.Registered) != 0 || IsClosed)
            return;

        // When even this fails for want of memory, the read that follows finds out nothing worse than a dead connection.
        int error = Loop.Add(_fd, this, (_flags & Flags.WatchesOut) != 0 ? Watched | Libc.EpollOut : Watched);
        if (error == 0)
            _flags |= Flags.Registered;
        else
            Abort();
    }

    /// <summary>Moves it to another loop; nothing may be waiting on it. The new owner calls <see cref="EnsureWatched"/>.</summary>
    public void MoveTo(EventLoop loop)
    {
        if (_close == Closing.Done)
        {
            // The number may be another's by now.
            Loop = loop;
            return;
        }

        SendWhatIsHeld();
        if ((_flags & Flags.Registered) != 0)
            Loop.Remove(_fd);
        _flags = (_flags & ~(Flags.Registered | Flags.HangUp)) | Flags.Readable | Flags.Writable;
        Loop.CountConnection(-1);
        loop.CountConnection(1);
        Loop = loop;
    }

    /// <summary>From now on events go to the tunnel, and what the reader holds is the tunnel's to forward.</summary>
    public ArraySegment<byte> EnterTunnel(LinuxTunnel tunnel)
    {
        SendWhatIsHeld();
        _tunnel = tunnel;
        _writer = null;
        _hooks = null;
        var buffered = _input is null ? default : _input.Detach();
        _input = null;
        return buffered;
    }

    public void LeaveTunnel() => _tunnel = null;

    /// <summary>Forces the next read to ask the kernel: it knows more than the events have told.</summary>
    public void SuspectHangUp() => _flags |= Flags.Readable | Flags.HangUp;

    internal override bool TryObserve(IPeerObserver observer, bool whenQuiet)
    {
        if (!Loop.IsCurrent || IsClosed || (_flags & Flags.HangUp) != 0)
            return false;
        if (whenQuiet && IsReadable)
        {
            // Whatever comes behind this look is an edge, and told.
            if (!IsQuiet())
                return false;
            _flags &= ~Flags.Readable;
        }

        Hooks.Observer = observer;
        EnsureWatched();
        if (!IsClosed)
            return true;

        // It could not be watched, and is closed for that; nobody would tell.
        Hooks.Observer = null;
        return false;
    }

    internal override bool TryStopObserving()
    {
        if (!Loop.IsCurrent)
            return false;
        if (_hooks is not null)
            _hooks.Observer = null;
        return true;
    }

    internal override Delivery? Delivery
    {
        get
        {
            if (RemoteAddress is null)
                return null;
            if (Loop.IsCurrent)
            {
                SendWhatIsHeld();
                return _close == Closing.Done ? null : SocketOptions.DeliveryOf(_fd);
            }

            lock (Descriptors)
                return _close == Closing.Done ? null : SocketOptions.DeliveryOf(_fd);
        }
    }

    internal override bool IsBroken
    {
        get
        {
            if (Loop.IsCurrent)
                return _close == Closing.Done || HasHungUp();
            lock (Descriptors)
                return _close == Closing.Done || HasHungUp();
        }
    }

    internal override void ProbePeer()
    {
        if (RemoteAddress is null)
            return;
        lock (Descriptors)
        {
            if (_close != Closing.Done)
                SocketOptions.ProbePeer(_fd);
        }
    }

    /// <summary>Both directions are over (POLLHUP of poll(2)), or there was an error. A FIN alone is neither.</summary>
    private bool HasHungUp()
    {
        var poll = new Libc.PollRequest { Fd = _fd };
        return Libc.Poll(&poll, 1, 0) > 0 && (poll.Happened & (short)(Libc.EpollErr | Libc.EpollHup)) != 0;
    }

    /// <summary>Bytes have arrived that nobody has read; on the loop's thread.</summary>
    public bool HasUnread
    {
        get
        {
            byte next;
            return !IsClosed && Libc.Receive(_fd, &next, 1, Libc.MsgPeek) > 0;
        }
    }

    /// <summary>True when nothing has arrived and the peer has not closed.</summary>
    private bool IsQuiet()
    {
        const short arrived = 1, closed = 0x2000;
        var poll = new Libc.PollRequest { Fd = _fd, Events = arrived | closed };
        return Libc.Poll(&poll, 1, 0) == 0;
    }

    private int ReadRefused()
    {
        int error = Libc.LastError;
        if (error != Errno.TryAgain)
            return error;
        _flags &= ~Flags.Readable;
        EnsureWatched();
        return error;
    }

    private int WriteRefused()
    {
        int error = Libc.LastError;
        if (error != Errno.TryAgain)
            return error;
        _flags &= ~Flags.Writable;
        if ((_flags & Flags.WatchesOut) == 0)
        {
            _flags |= Flags.WatchesOut;
            if ((_flags & Flags.Registered) != 0)
                Loop.Modify(_fd, Watched | Libc.EpollOut);
        }

        EnsureWatched();
        return error;
    }
}
