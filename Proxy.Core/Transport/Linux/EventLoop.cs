using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// One thread, one epoll set. Every system call on a descriptor is made on the loop that owns it, and only that loop closes
/// it: a number that the kernel has given out anew can never be written to by mistake, and nothing needs a lock. What
/// other threads want is posted.
/// </summary>
internal sealed unsafe class EventLoop : IDisposable
{
    private const int MaxEvents = 256;

    // With the kernel's usual timer slack of 50 µs (prctl(2)) on top.
    private const int MomentNanoseconds = 50_000;

    /// <summary>Scratch for copying: what fits in one read of it is cheaper to copy than to splice.</summary>
    public const int ScratchSize = 16 * 1024;

    // So many messages, or events behind the first of them: some 0.2 ms until they leave, or a few where others move bulk data.
    private const int MostHeld = 16;
    private const int HeldSize = 16 * 1024;

    [ThreadStatic]
    private static EventLoop? _current;

    // struct epoll_event { uint32 events; uint64 data; } is packed on x86-64 only.
    private static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int DataOffset = EventSize - 8;
    private static readonly bool PreciseSleep = HasPreciseSleep();

    private readonly int _epoll;
    private readonly SafeFileHandle _wakeHandle;
    private readonly int _wake;
    private readonly Thread _thread;
    private readonly ConcurrentQueue<ILoopWork> _posted = new();
    private readonly Queue<ILoopWork> _ready = new();
    private readonly Queue<ILoopTurn> _behind = new();
    private readonly Action<Exception> _failed;
    private (IEventSink? Sink, uint Generation)[] _sinks = new (IEventSink?, uint)[256];
    private readonly (IHeldWriter Writer, int Length)[] _held = new (IHeldWriter, int)[MostHeld];
    private readonly byte* _heldStart;
    private int _heldCount, _heldBytes, _heldEvents;
    private bool _dispatches;
    private uint _generation;
    private BulkPace _pace;
    private int _wakePending;
    private int _connections;
    private volatile bool _stopping;

    /// <param name="name">The thread's name.</param>
    /// <param name="failed">Told of an exception that nobody else took: a bug. The loop goes on.</param>
    /// <param name="pipes">Lent to its tunnels.</param>
    public EventLoop(string name, Action<Exception> failed, PipePool pipes)
    {
        Pipes = pipes;
        _failed = failed;
        _epoll = Check(Libc.EpollCreate(Libc.EpollCloExec));
        _wake = Check(Libc.EventFd(0, Libc.OpenNonBlock | Libc.OpenCloExec));

        // Closed when nobody can post any more, which is when nobody knows this loop: a stop may come while somebody posts.
        _wakeHandle = new SafeFileHandle(_wake, ownsHandle: true);
        Control(Libc.EpollAdd, _wake, Libc.EpollIn, 0);
        Scratch = (byte*)NativeMemory.AlignedAlloc(ScratchSize + HeldSize, 4096);
        _heldStart = Scratch + ScratchSize;
        Timers = new TimerWheel(Environment.TickCount64);
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>The loop whose thread this is; null on other threads.</summary>
    public static EventLoop? Current => _current;

    public bool IsCurrent => _current == this;

    /// <summary>Connections that live here; other threads read it to choose a loop.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Milliseconds; read once each time the loop wakes.</summary>
    public long Now { get; private set; } = Environment.TickCount64;

    /// <summary>For use within one step on this loop's thread only.</summary>
    public byte* Scratch { get; }

    public PipePool Pipes { get; }

    /// <summary>Told of what is moved, so that the loop knows when only bulk data moves.</summary>
    public ref BulkPace Pace => ref _pace;

    public TimerWheel Timers { get; }

    /// <summary>Changes each time the loop has looked for events.</summary>
    public uint Round { get; private set; }

    /// <summary>Descriptors that had something to tell in this round; work that was queued here is not among them.</summary>
    public int EventsInRound { get; private set; }

    /// <summary>Bytes that readers which fill their buffers have read in this round; they count them.</summary>
    public int BulkInRound { get; set; }

    /// <summary>Runs it on this loop's thread, never at once: it comes after what the loop is doing.</summary>
    public void Post(ILoopWork work)
    {
        if (_current == this)
        {
            _ready.Enqueue(work);
            return;
        }

        _posted.Enqueue(work);
        if (Interlocked.Exchange(ref _wakePending, 1) == 0)
            Wake();
    }

    /// <summary>
    /// Holds a message back until the descriptors that had something to tell together have been dealt with, or so many are held that the
    /// first shall not wait for longer. False when nothing else is to be dealt with before it.
    /// </summary>
    public bool TryHold(IHeldWriter writer, ReadOnlySpan<byte> message)
    {
        if (!_dispatches || message.Length > HeldSize)
            return false;
        if (_heldCount == MostHeld || _heldBytes + message.Length > HeldSize)
            SendHeld();
        message.CopyTo(new Span<byte>(_heldStart + _heldBytes, message.Length));
        _heldBytes += message.Length;
        _held[_heldCount++] = (writer, message.Length);
        return true;
    }

    /// <summary>Sends what is held back.</summary>
    public void SendHeld()
    {
        int start = 0;
        for (int i = 0; i < _heldCount; i++)
        {
            var (writer, length) = _held[i];
            writer.SendHeld(new ReadOnlySpan<byte>(_heldStart + start, length));
            start += length;
        }

        Array.Clear(_held, 0, _heldCount);
        (_heldCount, _heldBytes, _heldEvents) = (0, 0, 0);
    }

    /// <summary>Adds a descriptor; answers errno or 0. Edges only: each change is told once.</summary>
    public int Add(int fd, IEventSink sink, uint events)
    {
        if (fd >= _sinks.Length)
            Array.Resize(ref _sinks, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)fd + 1));
        uint generation = ++_generation;
        _sinks[fd] = (sink, generation);
        if (Control(Libc.EpollAdd, fd, events | Libc.EpollEdge, generation) == 0)
            return 0;
        _sinks[fd] = default;
        return Libc.LastError;
    }

    /// <summary>Changes what is waited for; what is already so is told again.</summary>
    public void Modify(int fd, uint events) => Control(Libc.EpollModify, fd, events | Libc.EpollEdge, _sinks[fd].Generation);

    /// <summary>Forgets a descriptor that is about to be closed; closing takes it out of the epoll set.</summary>
    public void Forget(int fd)
    {
        // One that was never added may lie beyond the end.
        if (fd < _sinks.Length)
            _sinks[fd] = default;
    }

    /// <summary>Takes a descriptor out that goes on to live on another loop.</summary>
    public void Remove(int fd)
    {
        Forget(fd);
        Control(Libc.EpollDelete, fd, 0, 0);
    }

    /// <summary>Ends the thread after what is posted now. Connections that still live here are left as they are.</summary>
    public void Dispose()
    {
        if (_stopping)
            return;
        _stopping = true;
        Wake();
        if (!IsCurrent)
            _thread.Join();
    }

    /// <summary>
    /// On the loop: it goes on behind all that there is to do now, and behind those that wait so already. Of these one has its turn in each
    /// round.
    /// </summary>
    public void QueueBehind(ILoopTurn one) => _behind.Enqueue(one);

    public void CountConnection(int change) => Interlocked.Add(ref _connections, change);

    private void Run()
    {
        _current = this;

        // Nothing here has an AsyncLocal: without a context to carry, each continuation is called, not run within one.
        ExecutionContext.SuppressFlow();
        byte* events = (byte*)NativeMemory.Alloc((nuint)(MaxEvents * EventSize));
        while (!_stopping)
        {
            int timeout = _ready.Count + _behind.Count > 0 ? 0 : Timers.MillisecondsToNext(Now);
            if (_pace.OnlyBulk && timeout != 0)
                Gather();
            int count = Libc.EpollWait(_epoll, events, MaxEvents, timeout);
            Round++;
            EventsInRound = count;
            BulkInRound = 0;
            long now = Environment.TickCount64;
            if (now != Now)
                _pace.Advance(now, now - Now);
            Now = now;
            _dispatches = count > 1;
            DispatchAll(events, count);
            _dispatches = false;
            SendHeld();

            // Only what is there now: work that queues itself again lets the descriptors have their turn first.
            for (int left = _ready.Count; left > 0; left--)
                Run(_ready.Dequeue());

            // One in a round, however many they are: whoever has little to do never waits for more than one of them.
            if (_behind.TryDequeue(out var behind))
                TakeTurn(behind);
            try
            {
                Timers.Advance(Now);
            }
            catch (Exception failure)
            {
                _failed(failure);
            }
        }

        RunPosted();
        Pipes.Trim();
        NativeMemory.Free(events);
        NativeMemory.AlignedFree(Scratch);
        Libc.Close(_epoll);
        GC.KeepAlive(_wakeHandle);
    }

    /// <summary>Lets more bulk data come together. Not where a sleep takes a whole tick of the kernel's clock.</summary>
    private static void Gather()
    {
        if (!PreciseSleep)
            return;
        var moment = new Libc.TimeSpec { Nanoseconds = MomentNanoseconds };
        _ = Libc.NanoSleep(&moment, null);
    }

    private static bool HasPreciseSleep()
    {
        const int monotonic = 1;
        Libc.TimeSpec resolution;
        return Libc.ClockResolution(monotonic, &resolution) == 0 && resolution is { Seconds: 0, Nanoseconds: <= 1000 };
    }

    private void Wake()
    {
        ulong one = 1;
        Libc.Write(_wake, &one, sizeof(ulong));
        GC.KeepAlive(_wakeHandle);
    }

    private void DispatchAll(byte* events, int count)
    {
        // Each event's objects are fetched in three steps, because the way to each leads through the one before: while they come,
        // the events before it are dealt with.
        const int sinkAhead = 8, nextAhead = 5, furtherAhead = 2;
        bool fetches = count > 1 && CacheLines.IsSupported;
        for (int i = fetches ? -sinkAhead : 0; i < count; i++)
        {
            if (fetches)
            {
                CacheLines.Fetch(SinkOf(events, i + sinkAhead, count), 2);
                SinkOf(events, i + nextAhead, count)?.FetchNext();
                SinkOf(events, i + furtherAhead, count)?.FetchFurther();
            }

            if (i < 0)
                continue;
            byte* one = events + (i * EventSize);
            Dispatch(Unsafe.ReadUnaligned<uint>(one), Unsafe.ReadUnaligned<ulong>(one + DataOffset));
            if (_heldCount > 0 && ++_heldEvents >= MostHeld)
                SendHeld();
        }
    }

    /// <summary>Whose event it will most likely be: the descriptor may be closed, or another's, when its turn comes.</summary>
    private IEventSink? SinkOf(byte* events, int index, int count)
    {
        if ((uint)index >= (uint)count)
            return null;

        // What wakes the loop has no sink, and may lie beyond the end.
        int fd = FdOf(Unsafe.ReadUnaligned<ulong>(events + (index * EventSize) + DataOffset));
        return fd < _sinks.Length ? _sinks[fd].Sink : null;
    }

    private static int FdOf(ulong data) => (int)(data & int.MaxValue);

    private void Dispatch(uint events, ulong data)
    {
        int fd = FdOf(data);
        if (fd == _wake)
        {
            RunPosted();
            return;
        }

        // An event of this round may belong to a descriptor that was closed, or given out anew, earlier in the round.
        var (sink, generation) = _sinks[fd];
        if (sink is null || generation != (uint)(data >> 32))
            return;
        try
        {
            sink.OnEvents(events);
        }
        catch (Exception failure)
        {
            _failed(failure);
        }
    }

    private void RunPosted()
    {
        ulong ignored;
        Libc.Read(_wake, &ignored, sizeof(ulong));

        // Before the queue is looked at: whoever posts after that look wakes the loop again.
        Interlocked.Exchange(ref _wakePending, 0);
        while (_posted.TryDequeue(out var work))
            Run(work);
    }

    private void TakeTurn(ILoopTurn one)
    {
        try
        {
            one.TakeTurn();
        }
        catch (Exception failure)
        {
            _failed(failure);
        }
    }

    private void Run(ILoopWork work)
    {
        try
        {
            work.Run();
        }
        catch (Exception failure)
        {
            _failed(failure);
        }
    }

    private int Control(int operation, int fd, uint events, uint generation)
    {
        byte* request = stackalloc byte[16];
        Unsafe.WriteUnaligned(request, events);
        Unsafe.WriteUnaligned(request + DataOffset, ((ulong)generation << 32) | (uint)fd);
        return Libc.EpollControl(_epoll, operation, fd, request);
    }

    private static int Check(int result) => result >= 0 ? result : throw SocketErrors.ToException(Libc.LastError);
}
