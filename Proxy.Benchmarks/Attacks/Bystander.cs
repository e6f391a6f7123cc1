using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.Attacks.Bots;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary>What a bystander met with in some time.</summary>
/// <param name="P50">Milliseconds from connecting to the whole echo.</param>
/// <param name="Count">Connections.</param>
/// <param name="Failed">Of those, refused, cut, or not served within ten seconds.</param>
internal readonly record struct BystanderResult(double P50, double P99, int Count, int Failed);

/// <summary>
/// Somebody who uses the proxy as one should: connects, logs in, has 64 bytes echoed and leaves, at a steady pace whether the connections
/// before have been served or not: one that waits keeps the next ones from nothing. Or it stays, and has its bytes echoed at that pace over
/// connections that stand. On a thread that goes before all others of its processors, so that what is measured is the daemon.
/// </summary>
internal sealed unsafe class Bystander : IDisposable
{
    private const double Pace = 0.004;
    private const long Longest = 10_000_000_000;
    private const int EchoBytes = 64, BufferSize = 1024;

    /// <summary>Connections of one who stays.</summary>
    private const int Kept = 8;

    private readonly BotTarget _target;
    private readonly HandshakeStep[] _steps;
    private readonly Epoll _epoll = new();
    private readonly Dictionary<int, LoadConnection> _open = [];
    private readonly Stack<LoadConnection> _spare = [];
    private readonly bool _stays;
    private readonly Queue<LoadConnection> _idle = [];
    private readonly Queue<long> _waiting = [];
    private readonly LatencyHistogram _times = new();
    private readonly Lock _lock = new();
    private readonly Thread _thread;
    private readonly byte* _buffer = (byte*)NativeMemory.AllocZeroed(BufferSize);
    private long _since;
    private int _count, _failed;
    private volatile bool _stopped;

    /// <param name="stays">Has its bytes echoed over connections that it keeps.</param>
    public Bystander(BotTarget target, bool stays = false)
    {
        _target = target;
        _stays = stays;
        _steps = HandshakeScript.Socks5As(AttackUsers.Bystander, AttackUsers.Password, StubPorts.Echo).Steps;
        _thread = new Thread(Run) { IsBackground = true, Name = "bystander" };
        _thread.Start();
    }

    /// <summary>How it goes from now on, for that many seconds. Whoever still waits at the end counts with what it has waited.</summary>
    public BystanderResult Watch(double seconds, Action? meanwhile = null)
    {
        lock (_lock)
        {
            _times.Clear();
            (_count, _failed, _since) = (0, 0, Now());
        }

        for (double end = ProcessFacts.Now() + seconds; ProcessFacts.Now() < end;)
        {
            Task.Delay(100).Wait();
            meanwhile?.Invoke();
        }

        lock (_lock)
        {
            long now = Now();
            foreach (var connection in _open.Values)
            {
                // Those that have only just begun say nothing.
                if (connection.Started >= _since && (now - connection.Started) / 1000.0 > _times.MicrosecondsAt(0.5))
                    Add(now - connection.Started);
            }

            return new BystanderResult(_times.MicrosecondsAt(0.5) / 1000, _times.MicrosecondsAt(0.99) / 1000, _count, _failed);
        }
    }

    public void Dispose()
    {
        _stopped = true;
        _thread.Join();
        foreach (int fd in _open.Keys.Concat(_idle.Select(static one => one.Fd)))
            Native.Close(fd);
        _epoll.Dispose();
        NativeMemory.Free(_buffer);
    }

    private static long Now() => (long)(ProcessFacts.Now() * 1e9);

    private void Run()
    {
        ProcessFacts.TryPreferThisThread();
        for (double due = ProcessFacts.Now(); !_stopped;)
        {
            int ready = _epoll.Wait(1);
            lock (_lock)
            {
                for (int i = 0; i < ready; i++)
                    Serve(_epoll.IdOf(i));
                if (ProcessFacts.Now() < due)
                    continue;
                due = Math.Max(due + Pace, ProcessFacts.Now() - 1);
                Begin();
                EndLate();
            }
        }
    }

    private void Begin()
    {
        long now = Now();
        if (_stays && _idle.Count + _open.Count >= Kept)
        {
            // Whoever waits for one that stands waits from now on.
            if (_idle.TryDequeue(out var standing))
                Echo(standing, now);
            else
                _waiting.Enqueue(now);
            return;
        }

        int fd = _target.Connect();
        if (fd < 0)
        {
            Fail(now);
            return;
        }

        if (!_spare.TryPop(out var connection))
            connection = new LoadConnection(0);
        connection.Begin(fd, now);
        _open.Add(fd, connection);

        // On loopback it is connected already, or its SYN was dropped: then it is told by the next event.
        _epoll.Add(fd, Native.EpollIn | Native.EpollOut, fd);
    }

    private void Echo(LoadConnection connection, long started)
    {
        connection.Begin(connection.Fd, started);
        connection.Step = _steps.Length;
        _open.Add(connection.Fd, connection);
        _epoll.Add(connection.Fd, Native.EpollIn | Native.EpollOut, connection.Fd);
    }

    private void Serve(int fd)
    {
        if (!_open.TryGetValue(fd, out var connection))
            return;
        if (!connection.Sent)
        {
            ReadOnlySpan<byte> message = connection.Step < _steps.Length ? _steps[connection.Step].Message
                : new ReadOnlySpan<byte>(_buffer, EchoBytes);
            fixed (byte* start = message)
            {
                nint sent = Native.Send(fd, start, message.Length, Native.MsgDontWait | Native.MsgNoSignal);
                if (sent != message.Length)
                {
                    if (sent >= 0 || Marshal.GetLastSystemError() != Native.Again)
                        End(fd, connection, failed: true);
                    return;
                }
            }

            connection.Sent = true;
            _epoll.Modify(fd, Native.EpollIn, fd);
            return;
        }

        int received;
        fixed (byte* free = connection.Reply.AsSpan(connection.Received))
            received = (int)Native.Receive(fd, free, connection.Reply.Length - connection.Received, Native.MsgDontWait);
        if (received <= 0)
        {
            if (received == 0 || Marshal.GetLastSystemError() != Native.Again)
                End(fd, connection, failed: true);
            return;
        }

        connection.Received += received;
        int state = connection.Step < _steps.Length
            ? _steps[connection.Step].Check(connection.Reply.AsSpan(0, connection.Received))
            : connection.Received >= EchoBytes ? 2 : 0;
        if (state is < 0 or 2)
        {
            End(fd, connection, failed: state < 0);
        }
        else if (state == 1)
        {
            connection.Step++;
            connection.Received = 0;
            connection.Sent = false;
            Serve(fd);
        }
    }

    private void EndLate()
    {
        long now = Now();
        foreach (var (fd, connection) in _open.ToArray())
        {
            if (now - connection.Started > Longest)
                End(fd, connection, failed: true);
        }
    }

    private void End(int fd, LoadConnection connection, bool failed)
    {
        _open.Remove(fd);
        if (failed)
            Fail(connection.Started);
        else if (connection.Started >= _since)
            Add(Now() - connection.Started);
        if (_stays && !failed)
        {
            // One that is cut while it stands shows when it is used.
            _epoll.Remove(fd);
            if (_waiting.TryDequeue(out long started))
                Echo(connection, started);
            else
                _idle.Enqueue(connection);
            return;
        }

        Native.Close(fd);
        _spare.Push(connection);
    }

    private void Fail(long started)
    {
        if (started < _since)
            return;
        _failed++;
        Add(Longest);
    }

    private void Add(long nanoseconds)
    {
        _times.Add(nanoseconds);
        _count++;
    }
}
