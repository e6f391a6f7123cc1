using System.IO.Pipelines;
using System.Net;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// A connection that an event loop owns from its first moment to its last. Reads and writes on the loop's thread go straight
/// to the kernel; asked for on another thread they are carried out by the loop and continue on the thread pool.
/// </summary>
internal sealed partial class LinuxConnection : TransportConnection, IEventSink, IHeldWriter, ILoopWork
{
    /// <summary>
    /// Between a loop that is about to close and another thread that looks at the descriptor. One for all: it is held for a
    /// moment, and one for each would be a tenth of what an idle tunnel takes.
    /// </summary>
    private static readonly Lock Descriptors = new();

    private readonly int _fd;
    private Flags _flags = Flags.Writable;
    private volatile Closing _close;
    private LinuxPipeReader? _input;
    private LinuxWriter? _writer;
    private LinuxTunnel? _tunnel;
    private ConnectionHooks? _hooks;
    private bool _shutdownAfterWrite;

    /// <param name="loop">Its owner. The constructor may run on another thread, before anybody else knows the connection.</param>
    /// <param name="fd">A non-blocking, connected socket.</param>
    /// <param name="remote">The peer's address; null for unix sockets.</param>
    /// <param name="isCounted">The loop counts it already, since its connect began.</param>
    public LinuxConnection(EventLoop loop, int fd, IPAddress? remote, bool isCounted = false)
    {
        Loop = loop;
        _fd = fd;
        RemoteAddress = remote;
        if (!isCounted)
            loop.CountConnection(1);
    }

    [Flags]
    private enum Flags : byte
    {
        /// <summary>There may be something to read; cleared by a read that emptied the socket.</summary>
        Readable = 1,

        /// <summary>There may be room to write; cleared by a write that was refused.</summary>
        Writable = 2,

        /// <summary>FIN, RST or an error was seen: a short read does not mean that nothing follows.</summary>
        HangUp = 4,

        /// <summary>In the loop's epoll set.</summary>
        Registered = 8,

        /// <summary>Room to write is waited for, once and for good.</summary>
        WatchesOut = 16,

        /// <summary>
        /// Urgent data came (tcp(7)): reads stop short at its mark although more follows, and splice(2) cannot get past it.
        /// </summary>
        Urgent = 32,

        /// <summary>The connection was reset or broke.</summary>
        Failed = 64,

        /// <summary>The loop holds a message of its own back: that is sent before anything else is done that the peer sees.</summary>
        Holds = 128,
    }

    private enum Closing : byte
    {
        No,
        Orderly,
        Reset,
        Done,
    }

    /// <summary>Changes only when a tunnel brings both of its connections to one loop.</summary>
    public EventLoop Loop { get; private set; }

    public override EndPoint? LocalEndPoint
    {
        get
        {
            if (Loop.IsCurrent)
                return _close == Closing.Done || RemoteAddress is null ? null : SocketAddresses.LocalOf(_fd);

            // Held so that the number cannot be closed, and given out anew, in between.
            lock (Descriptors)
                return _close == Closing.Done || RemoteAddress is null ? null : SocketAddresses.LocalOf(_fd);
        }
    }

    public override IPAddress? RemoteAddress { get; }

    internal override IPEndPoint? OriginalDestination
    {
        get
        {
            if (Loop.IsCurrent)
                return _close == Closing.Done || RemoteAddress is null ? null : SocketAddresses.OriginalOf(_fd, RemoteAddress);
            lock (Descriptors)
                return _close == Closing.Done || RemoteAddress is null ? null : SocketAddresses.OriginalOf(_fd, RemoteAddress);
        }
    }

    public override PipeReader Input => _input ??= new LinuxPipeReader(this);

    /// <summary>On the loop's thread only.</summary>
    public ConnectionHooks Hooks => _hooks ??= new ConnectionHooks();

    public bool IsClosed => _close != Closing.No;

    /// <summary>There may be something to read.</summary>
    public bool IsReadable => (_flags & Flags.Readable) != 0;

    /// <summary>Must be read by copying.</summary>
    public bool IsUrgent => (_flags & Flags.Urgent) != 0;

    /// <summary>The loop has told of a reset, which a side that is read no more would not notice otherwise.</summary>
    public bool HasFailed => (_flags & Flags.Failed) != 0;

    /// <summary>There may be room to write.</summary>
    public bool IsWritable => (_flags & Flags.Writable) != 0;

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default)
    {
        if (!Loop.IsCurrent)
            return (_writer ??= new LinuxWriter(this)).WriteAsync(data, cancellationToken);
        SendWhatIsHeld();
        if (_hooks is { Refusal: not 0 } hooks)
            return ValueTask.FromException(SocketErrors.ToException(hooks.Refusal));
        int result = _writer is { IsBusy: true } ? 0 : TrySend(data.Span);
        if (result == data.Length)
            return ValueTask.CompletedTask;
        if (result < 0)
            return ValueTask.FromException(IsClosed ? SocketErrors.Closed() : SocketErrors.ToException(-result));
        return (_writer ??= new LinuxWriter(this)).WriteAsync(data[result..], cancellationToken);
    }

    public override bool TryClaim()
    {
        if (IsClosed || !IsQuiet())
            return false;

        // In no loop's epoll set before its first read, so it can leave its loop from any thread.
        if (EventLoop.Current is { } here && here != Loop)
            MoveTo(here);
        return true;
    }

    public override void Schedule(IThreadPoolWorkItem work)
    {
        if (Loop.IsCurrent)
            work.Execute();
        else
            Loop.Post(new Scheduled(work));
    }

    internal override bool IsOnOwnThread => Loop.IsCurrent;

    internal override void Defer(IThreadPoolWorkItem work) => Loop.Post(new Scheduled(work));

    public override void ShutdownSend()
    {
        if (Loop.IsCurrent)
            ShutdownNow();
        else
            Loop.Post(new ShutdownWork(this));
    }

    public override void Abort() => Close(Closing.Reset);

    public override ValueTask DisposeAsync()
    {
        Close(Closing.Orderly);
        return ValueTask.CompletedTask;
    }

    /// <summary>Closing that was asked for on another thread.</summary>
    void ILoopWork.Run() => CloseNow();

    void IEventSink.OnEvents(uint events)
    {
        if ((events & ~Libc.EpollOut) != 0)
            _flags |= Flags.Readable;
        if ((events & (Libc.EpollRdHup | Libc.EpollHup | Libc.EpollErr)) != 0)
            _flags |= Flags.HangUp;
        if ((events & Libc.EpollPriority) != 0)
            _flags |= Flags.Urgent;
        if ((events & Libc.EpollErr) != 0)
            _flags |= Flags.Failed;
        if ((events & (Libc.EpollOut | Libc.EpollHup | Libc.EpollErr)) != 0)
            _flags |= Flags.Writable;
        if (_tunnel is { } tunnel)
        {
            tunnel.Pump();
            return;
        }

        // One that begins to observe while this event is dealt with does not wait for it.
        var observer = _hooks?.Observer;

        // Room first: what it lets go on was asked for earlier than what a read will bring.
        if (IsWritable)
            _writer?.Run();
        if (IsReadable)
            _input?.Run();
        if (_hooks is not { } hooks)
            return;
        if (IsWritable)
            hooks.Giver?.Run();
        if (IsReadable)
            hooks.Taker?.Run();
        if (observer is not null && hooks.Observer == observer && (events & ~Libc.EpollOut) != 0)
            observer.PeerStirred((_flags & Flags.HangUp) != 0);
    }

    void IEventSink.FetchNext()
    {
        CacheLines.Fetch(_tunnel, 4);
        CacheLines.Fetch(_input, 4);
    }

    void IEventSink.FetchFurther()
    {
        _tunnel?.FetchFurther();
        _input?.FetchFurther();
    }

    /// <summary>A write that had to wait is done.</summary>
    public void Written()
    {
        if (_shutdownAfterWrite)
            ShutdownNow();
    }

    private void Close(Closing how)
    {
        if (Interlocked.CompareExchange(ref _close, how, Closing.No) != Closing.No)
            return;
        if (Loop.IsCurrent)
            CloseNow();
        else
            Loop.Post(this);
    }

    private void CloseNow()
    {
        if (!Loop.IsCurrent)
        {
            // It moved to another loop since.
            Loop.Post(this);
            return;
        }

        if (_close == Closing.Done)
            return;
        SendWhatIsHeld();
        if (_close == Closing.Reset)
            SocketOptions.ResetOnClose(_fd);
        lock (Descriptors)
            _close = Closing.Done;
        Loop.Forget(_fd);
        Libc.Close(_fd);
        Loop.CountConnection(-1);

        // Whoever waits is told after what the loop is doing now: the caller may not expect others to run inside of its call.
        // A reader's buffer is its user's to give back, who may be looking at it on another thread.
        if (_input is { IsWaiting: true } input)
            Loop.Post(input);
        if (_writer is { IsBusy: true } writer)
            Loop.Post(writer);
        if (_tunnel is { } tunnel)
            Loop.Post(tunnel);
        if (_hooks?.Taker is { } taker)
            Loop.Post(taker);
        if (_hooks?.Giver is { } giver)
            Loop.Post(giver);
    }

    private void ShutdownNow()
    {
        // Behind what was asked to be written before it.
        SendWhatIsHeld();
        _shutdownAfterWrite = _writer is { IsBusy: true };
        if (!IsClosed && !_shutdownAfterWrite)
            Libc.Shutdown(_fd, Libc.ShutWrite);
    }

    private sealed class Scheduled(IThreadPoolWorkItem work) : ILoopWork
    {
        public void Run() => work.Execute();
    }

    private sealed class ShutdownWork(LinuxConnection connection) : ILoopWork
    {
        public void Run()
        {
            if (!connection.Loop.IsCurrent)
                connection.Loop.Post(this);
            else
                connection.ShutdownNow();
        }
    }
}
