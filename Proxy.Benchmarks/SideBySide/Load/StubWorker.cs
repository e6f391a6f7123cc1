using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>
/// Plays the Tor workers: speaks SOCKS5 on several ports and is echo, sink or source itself. One thread and one epoll set, and a
/// second thread for pings that must not wait behind bulk data.
/// </summary>
internal sealed unsafe class StubWorker : IDisposable
{
    private const int BufferSize = 64 * 1024;
    private static readonly byte[] Accepted = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    private readonly Epoll _epoll = new();
    private readonly PreferredEcho _preferred = new();
    private readonly BulkData _bulk;
    private readonly int[] _listeners;
    private readonly StubOrigin _origin;
    private readonly bool _coalesce;
    private readonly byte* _buffer = (byte*)NativeMemory.Alloc(BufferSize);
    private readonly Stack<StubHandshake> _spare = [];
    private readonly Stack<OriginConnection> _spareOrigins = [];
    private Entry[] _entries = new Entry[1024];

    /// <param name="ports">Of workers; behind them there is one more, of an HTTP origin that needs no SOCKS.</param>
    /// <param name="coalesce">The answer to the request in one write with what goes before it, which tor does not do.</param>
    public StubWorker(int ports, int chunk, bool sendFile, bool coalesce)
    {
        _bulk = new BulkData(chunk, sendFile);
        _origin = new StubOrigin(_epoll, _bulk);
        _coalesce = coalesce;
        Ports = new int[ports + 1];
        _listeners = new int[ports + 1];
        for (int i = 0; i <= ports; i++)
        {
            _listeners[i] = LoopbackSocket.Listen(out Ports[i]);
            _epoll.Add(_listeners[i], Native.EpollIn, -1 - i);
        }
    }

    private enum Role : byte
    {
        None,
        Handshake,
        Echo,
        Sink,
        Source,
        Origin,
    }

    public int[] Ports { get; }

    public void Run(Func<bool> goOn)
    {
        _preferred.Start();
        while (goOn())
        {
            int ready = _epoll.Wait(200);
            for (int i = 0; i < ready; i++)
            {
                int id = _epoll.IdOf(i);
                if (id < 0)
                    AcceptAll(_listeners[-1 - id], isOrigin: -id == _listeners.Length);
                else if (!Serve(id))
                    Close(id);
            }
        }
    }

    public void Dispose()
    {
        _preferred.Dispose();
        foreach (int listener in _listeners)
            Native.Close(listener);
        _epoll.Dispose();
        _bulk.Dispose();
        NativeMemory.Free(_buffer);
    }

    private void AcceptAll(int listener, bool isOrigin)
    {
        for (int fd; (fd = LoopbackSocket.Accept(listener)) >= 0;)
        {
            if (fd >= _entries.Length)
                Array.Resize(ref _entries, Math.Max(fd + 1, _entries.Length * 2));
            if (isOrigin)
            {
                _entries[fd] = new Entry(Role.Origin, null, RentOrigin());
            }
            else
            {
                if (!_spare.TryPop(out var handshake))
                    handshake = new StubHandshake();
                handshake.Reset();
                _entries[fd] = new Entry(Role.Handshake, handshake);
            }

            _epoll.Add(fd, Native.EpollIn, fd);
        }
    }

    /// <summary>False when the connection is over.</summary>
    private bool Serve(int fd) => _entries[fd].Role switch
    {
        Role.Handshake => ReadHandshake(fd, _entries[fd].Handshake!),
        Role.Echo => EchoOnce(fd, _buffer),
        Role.Sink => _bulk.Take(fd) >= 0,
        Role.Source => _bulk.Send(fd) >= 0,
        Role.Origin => _origin.Serve(fd, _entries[fd].Origin!),
        _ => true,
    };

    private bool ReadHandshake(int fd, StubHandshake handshake)
    {
        int received;
        fixed (byte* free = handshake.Free)
            received = (int)Native.Receive(fd, free, handshake.Free.Length, Native.MsgDontWait);
        if (received <= 0)
            return received < 0 && Marshal.GetLastSystemError() == Native.Again;

        Span<byte> answers = stackalloc byte[16];
        bool complete = handshake.Advance(received, answers, out int length, out int targetPort);
        if (complete && (_coalesce || length == 0))
        {
            Accepted.CopyTo(answers[length..]);
            return SendAll(fd, answers[..(length + Accepted.Length)]) && TakeRole(fd, handshake, targetPort);
        }

        if (length > 0 && !SendAll(fd, answers[..length]))
            return false;
        return !complete || (SendAll(fd, Accepted) && TakeRole(fd, handshake, targetPort));
    }

    private bool TakeRole(int fd, StubHandshake handshake, int targetPort)
    {
        if (targetPort == StubPorts.Origin)
        {
            var origin = RentOrigin();
            _entries[fd] = new Entry(Role.Origin, null, origin);
            int early = handshake.Left.Length;
            handshake.Left.CopyTo(origin.Free);
            _spare.Push(handshake);
            return early == 0 || (_origin.Read(fd, origin, early) && _origin.Serve(fd, origin));
        }

        var role = targetPort switch { StubPorts.Sink => Role.Sink, StubPorts.Source => Role.Source, _ => Role.Echo };
        bool good = role != Role.Echo || handshake.Left.IsEmpty || SendAll(fd, handshake.Left);
        _entries[fd] = new Entry(role, null);
        _spare.Push(handshake);
        if (role == Role.Source)
            _epoll.Modify(fd, Native.EpollOut, fd);
        if (targetPort == StubPorts.PreferredEcho && good)
        {
            _epoll.Remove(fd);
            _entries[fd] = default;
            _preferred.Take(fd);
        }

        return good;
    }

    private void Close(int fd)
    {
        if (_entries[fd].Handshake is { } handshake)
            _spare.Push(handshake);
        if (_entries[fd].Origin is { } origin)
            _spareOrigins.Push(origin);
        _entries[fd] = default;
        Native.Close(fd);
    }

    /// <summary>False when the connection is over.</summary>
    private static bool EchoOnce(int fd, byte* buffer)
    {
        nint received = Native.Receive(fd, buffer, BufferSize, Native.MsgDontWait);
        if (received <= 0)
            return received < 0 && Marshal.GetLastSystemError() == Native.Again;
        return Native.Send(fd, buffer, received, Native.MsgDontWait | Native.MsgNoSignal) == received;
    }

    private static bool SendAll(int fd, ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
            return Native.Send(fd, start, data.Length, Native.MsgDontWait | Native.MsgNoSignal) == data.Length;
    }

    private OriginConnection RentOrigin()
    {
        if (!_spareOrigins.TryPop(out var origin))
            origin = new OriginConnection();
        origin.Reset();
        return origin;
    }

    private readonly record struct Entry(Role Role, StubHandshake? Handshake, OriginConnection? Origin = null);

    /// <summary>Echoes on a thread that goes before all others of its core, if the system lets it.</summary>
    private sealed class PreferredEcho : IDisposable
    {
        private readonly Epoll _epoll = new();
        private readonly Thread _thread;
        private volatile bool _stopped;

        public PreferredEcho() => _thread = new Thread(Run) { IsBackground = true, Name = "echo" };

        public void Start() => _thread.Start();

        public void Take(int fd) => _epoll.Add(fd, Native.EpollIn, fd);

        public void Dispose()
        {
            _stopped = true;
            if (_thread.IsAlive)
                _thread.Join();
            _epoll.Dispose();
        }

        private void Run()
        {
            Measuring.ProcessFacts.TryPreferThisThread();
            byte* buffer = (byte*)NativeMemory.Alloc(BufferSize);
            while (!_stopped)
            {
                int ready = _epoll.Wait(200);
                for (int i = 0; i < ready; i++)
                {
                    int fd = _epoll.IdOf(i);
                    if (!EchoOnce(fd, buffer))
                        Native.Close(fd);
                }
            }

            NativeMemory.Free(buffer);
        }
    }
}
