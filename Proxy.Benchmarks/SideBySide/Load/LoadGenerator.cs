using System.Diagnostics;
using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>Plays the clients: one thread, one epoll set, and no allocation once the connections are there.</summary>
internal sealed unsafe partial class LoadGenerator : IDisposable
{
    private const int PingLength = 64;
    private const int OpenedAtATime = 64;
    private const int MostFailures = 2000;
    private const double SetupLimit = 20;

    private readonly LoadPlan _plan;
    private readonly Epoll _epoll = new();
    private readonly BulkData _bulk;
    private readonly LatencyHistogram _latency = new();
    private readonly List<LoadConnection> _connections = [];
    private readonly byte[] _ping = new byte[PingLength];
    private readonly byte[] _requestHead;
    private long _operations, _bytes, _failures;
    private int _wanted, _ready;

    public LoadGenerator(LoadPlan plan)
    {
        _plan = plan;
        _wanted = plan.Connections;
        _bulk = new BulkData(plan.Chunk, plan.SendFile);
        _requestHead = plan.Request?.Head(absolute: plan.Script.Steps.Length == 0) ?? [];
    }

    /// <summary>Warms up, counts for the window, and gives what was counted.</summary>
    public LoadResult Run()
    {
        if (_plan.Preferred)
            ProcessFacts.TryPreferThisThread();
        if (_plan.Kind is not (LoadKind.Connections or LoadKind.Requests))
            Establish(_plan.Connections);
        Work(_plan.Warmup);
        _latency.Clear();
        long operations = _operations, bytes = _bytes;
        double began = ProcessFacts.Now(), cpu = CpuOf(_plan.Forwarder), load = LoadCpu;
        Work(_plan.Window);
        double seconds = ProcessFacts.Now() - began;
        return new LoadResult(
            _operations - operations, _bytes - bytes, _failures, seconds, CpuOf(_plan.Forwarder) - cpu, LoadCpu - load,
            _latency.MicrosecondsAt(0.5), _latency.MicrosecondsAt(0.99))
        {
            TotalOperations = _operations,
            TotalBytes = _bytes,
        };
    }

    /// <summary>Opens tunnels until there are so many, and leaves them open.</summary>
    public void Establish(int connections)
    {
        _wanted = connections;
        double limit = ProcessFacts.Now() + SetupLimit;
        while (_ready < connections)
        {
            if (ProcessFacts.Now() > limit)
                throw new TimeoutException($"only {_ready} of {connections} connections came up, {_failures} failed");
            Turn();
        }
    }

    public void Dispose()
    {
        foreach (var connection in _connections.Where(static connection => connection.Fd >= 0))
            Native.Close(connection.Fd);
        _epoll.Dispose();
        _bulk.Dispose();
    }

    private double LoadCpu => ProcessFacts.OwnCpuSeconds() + CpuOf(_plan.Stub);

    private static double CpuOf(int process) => process == 0 ? 0 : ProcessFacts.CpuSeconds(process);

    private static long Nanoseconds() => Stopwatch.GetTimestamp();

    private void Work(double seconds)
    {
        double until = ProcessFacts.Now() + seconds;
        while (ProcessFacts.Now() < until)
            Turn();
    }

    private void Turn()
    {
        for (int opened = 0; _connections.Count < _wanted && opened < OpenedAtATime; opened++)
        {
            _connections.Add(new LoadConnection(_connections.Count));
            Open(_connections[^1]);
        }

        int ready = _epoll.Wait(_connections.Count < _wanted ? 0 : 20);
        for (int i = 0; i < ready; i++)
        {
            var connection = _connections[_epoll.IdOf(i)];
            if (Advance(connection, _epoll.EventsOf(i)))
                continue;
            if (++_failures > MostFailures)
                throw new IOException($"{_failures} connections failed");
            if (connection.Step == _plan.Script.Steps.Length && _plan.Kind != LoadKind.Connections)
                _ready--;
            Native.Close(connection.Fd);
            Open(connection);
        }
    }

    private void Open(LoadConnection connection)
    {
        int fd = LoopbackSocket.StartConnect(_plan.Address, _plan.Port);
        if (fd < 0)
            throw new IOException($"no connection to port {_plan.Port}: error {Marshal.GetLastSystemError()}");
        connection.Begin(fd, Nanoseconds());
        if (_plan.Script.Steps.Length == 0 && _plan.Kind != LoadKind.Requests)
        {
            // There is nothing to shake hands about, and on loopback the connection stands.
            _epoll.Add(fd, Native.EpollIn, connection.Index);
            if (!BeginWork(connection))
                throw new IOException($"nothing could be sent to port {_plan.Port}");
            return;
        }

        bool sent = _plan.Script.Steps.Length > 0 ? TrySendStep(connection) : TryBeginRequest(connection);
        connection.WatchesOut = !sent || (_plan.Script.Steps.Length == 0 && connection.BodyToSend > 0);
        _epoll.Add(fd, connection.WatchesOut ? Native.EpollOut : Native.EpollIn, connection.Index);
    }

    /// <summary>False when the connection is broken.</summary>
    private bool Advance(LoadConnection connection, uint events)
    {
        if (connection.Step < _plan.Script.Steps.Length)
        {
            if (connection.Sent)
                return ReadStep(connection);
            if ((events & (Native.EpollError | Native.EpollHangUp)) != 0 || !TrySendStep(connection))
                return false;
            WatchOut(connection, false);
            return true;
        }

        long moved = 0;
        switch (_plan.Kind)
        {
            case LoadKind.Down:
                moved = _bulk.Take(connection.Fd);
                break;
            case LoadKind.Up:
                moved = _bulk.Send(connection.Fd);
                break;
            case LoadKind.Requests:
                return AdvanceRequest(connection, events);
            default:
                return ReadPing(connection);
        }

        _bytes += Math.Max(moved, 0);
        return moved >= 0;
    }

    /// <summary>False when it has to wait until the connection is established.</summary>
    private bool TrySendStep(LoadConnection connection)
    {
        connection.Sent = Send(connection.Fd, _plan.Script.Steps[connection.Step].Message);
        connection.Received = 0;
        return connection.Sent;
    }

    private bool ReadStep(LoadConnection connection)
    {
        if (!Receive(connection, connection.Reply.Length))
            return false;
        var step = _plan.Script.Steps[connection.Step];
        int verdict = step.Check(connection.Reply.AsSpan(0, connection.Received));
        if (verdict <= 0)
            return verdict == 0;
        connection.Step++;
        return connection.Step < _plan.Script.Steps.Length ? TrySendStep(connection) : BeginWork(connection);
    }

    private bool BeginWork(LoadConnection connection)
    {
        switch (_plan.Kind)
        {
            case LoadKind.Down:
                _ready++;
                return true;
            case LoadKind.Up:
                _ready++;
                _epoll.Modify(connection.Fd, Native.EpollOut, connection.Index);
                return true;
            case LoadKind.Connections:
                return SendPing(connection);
            case LoadKind.Requests:
                connection.Started = Nanoseconds();
                return TryBeginRequest(connection) && (connection.BodyToSend == 0 || SendBody(connection));
            default:
                _ready += _plan.Kind == LoadKind.RoundTrips ? 1 : 0;
                connection.Started = Nanoseconds();
                return SendPing(connection);
        }
    }

    private bool ReadPing(LoadConnection connection)
    {
        if (!Receive(connection, PingLength))
            return false;
        if (connection.Received < PingLength)
            return true;
        long now = Nanoseconds();
        _latency.Add(now - connection.Started);
        _operations++;
        switch (_plan.Kind)
        {
            case LoadKind.Connections:
                Native.Close(connection.Fd);
                Open(connection);
                return true;
            case LoadKind.RoundTrips:
                connection.Started = now;
                return SendPing(connection);
            default:
                _ready++;
                return true;
        }
    }

    private bool SendPing(LoadConnection connection)
    {
        connection.Received = 0;
        return Send(connection.Fd, _ping);
    }

    /// <summary>False when the connection is over or nothing more fits.</summary>
    private static bool Receive(LoadConnection connection, int upTo)
    {
        fixed (byte* reply = connection.Reply)
        {
            nint received = Native.Receive(connection.Fd, reply + connection.Received, upTo - connection.Received, Native.MsgDontWait);
            if (received > 0)
                connection.Received += (int)received;
            return received > 0 || (received < 0 && Marshal.GetLastSystemError() == Native.Again);
        }
    }

    private static bool Send(int fd, byte[] message)
    {
        fixed (byte* start = message)
            return Native.Send(fd, start, message.Length, Native.MsgDontWait | Native.MsgNoSignal) == message.Length;
    }
}
