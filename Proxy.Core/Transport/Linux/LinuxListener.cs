using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using TorBalancer.Interop;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Transport.Linux;

/// <summary>Accepts on one loop and gives each connection to the loop that has fewest.</summary>
internal sealed class LinuxListener(EventLoops loops, EventLoop loop, ListeningSocket listening)
    : ITransportListener, IValueTaskSource<TransportConnection>, ILoopWork, IEventSink
{
    /// <summary>Then the loop's other descriptors get their turn.</summary>
    internal const int AcceptsInATurn = 16;

    /// <summary>Milliseconds after which a turn is due however much else there is to do.</summary>
    internal const int LongestWait = 4;

    /// <summary>So many are made up for at once when a round has taken longer than that.</summary>
    internal const int LateTurns = 4;

    private readonly int _fd = (int)listening.Socket.SafeHandle.DangerousGetHandle();
    private readonly RecentAddresses _clients = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ManualResetValueTaskSourceCore<TransportConnection> _core;
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private uint _round;
    private long _lastTurn;
    private int _turnLeft;
    private bool _queued;
    private bool _watched;
    private bool _disposed;
    private volatile bool _waiting;
    private volatile bool _closing;

    public EndPoint LocalEndPoint { get; } = listening.Socket.LocalEndPoint!;

    public Task RunAsync(Func<Task> acceptLoop)
    {
        var started = new StartWork(acceptLoop);
        loop.Post(started);
        return started.Ended.Task.Unwrap();
    }

    public ValueTask<TransportConnection> AcceptAsync(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<TransportConnection>(cancellationToken);
        bool turn = loop.IsCurrent && _watched && !_closing && TakeTurn();
        if (turn)
        {
            int result = Accept(out var connection);
            if (result == 0)
                return ValueTask.FromResult<TransportConnection>(connection!);
            if (result != Errno.TryAgain)
                return ValueTask.FromException<TransportConnection>(new SocketException((int)SocketErrors.Of(result)));
        }

        _core.RunContinuationsAsynchronously = !loop.IsCurrent;
        _token = cancellationToken;
        short version = _core.Version;
        _waiting = true;
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static state => ((LinuxListener)state!).Wake(), this);
        if (!turn)
            LookAgain();
        return new ValueTask<TransportConnection>(this, version);
    }

    public bool HasQueued => listening.HasQueued;

    public Socket Socket => listening.Socket;

    public bool OwnsFile => listening.OwnsFile;

    public void Leave() => listening.Leave();

    public TransportConnection? TryAccept() => !_closed.Task.IsCompleted && Accept(out var connection) == 0 ? connection : null;

    public async ValueTask DisposeAsync()
    {
        _closing = true;
        loop.Post(this);
        await _closed.Task;
    }

    public void Run()
    {
        _queued = false;
        if (_closing && !_disposed)
        {
            _disposed = true;
            try
            {
                loop.Remove(_fd);
                listening.Dispose();
            }
            finally
            {
                _closed.SetResult();
            }
        }

        if (!_waiting)
            return;
        if (_token.IsCancellationRequested)
            End().SetException(new OperationCanceledException(_token));
        else if (_closing)
            End().SetException(new ObjectDisposedException(nameof(LinuxListener)));
        else
            TryEnd();
    }

    void IEventSink.OnEvents(uint events)
    {
        if (!_queued)
            Run();
    }

    TransportConnection IValueTaskSource<TransportConnection>.GetResult(short token)
    {
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<TransportConnection>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<TransportConnection>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void TryEnd()
    {
        if (!_watched)
        {
            int error = loop.Add(_fd, this, Libc.EpollIn);
            if (error != 0)
            {
                End().SetException(new SocketException((int)SocketErrors.Of(error)));
                return;
            }

            _watched = true;
        }

        if (!TakeTurn())
        {
            LookAgain();
            return;
        }

        int result = Accept(out var connection);
        if (result == 0)
            End().SetResult(connection!);
        else if (result != Errno.TryAgain)
            End().SetException(new SocketException((int)SocketErrors.Of(result)));
    }

    /// <summary>
    /// True: one may be accepted now. What was accepted is served first, and the next ones are taken when no descriptor has
    /// something to tell. Until then they wait in the kernel, where they cost nothing; a thousand that are all half served have left
    /// the caches whenever something comes for one of them. Those that another loop will serve wait for nothing of this one.
    /// </summary>
    private bool TakeTurn()
    {
        if (_round != loop.Round)
        {
            _round = loop.Round;

            // The one event may be the listening socket's own.
            bool free = loop.EventsInRound <= 1 || loops.Choose(loop) != loop;
            long turns = free ? 1 : Math.Min((loop.Now - _lastTurn) / LongestWait, LateTurns);
            _turnLeft = (int)turns * AcceptsInATurn;
            if (turns > 0)
                _lastTurn = loop.Now;
        }

        return _turnLeft-- > 0;
    }

    /// <summary>0 and a connection, or errno. Idle pipes give their descriptors before a client is turned away for want of one.</summary>
    private unsafe int Accept(out LinuxConnection? connection)
    {
        byte* address = stackalloc byte[SocketAddresses.MaxLength];
        uint length = SocketAddresses.MaxLength;
        const int flags = Libc.SockNonBlock | Libc.SockCloExec;
        int fd = Libc.Accept(_fd, address, &length, flags);
        if (fd < 0 && Libc.LastError is Errno.TableFull or Errno.TooManyOpen && loop.IsCurrent && loop.Pipes.Trim())
            fd = Libc.Accept(_fd, address, &length, flags);
        if (fd < 0)
        {
            connection = null;
            return Libc.LastError;
        }

        // It is served, or told that it cannot be: what matters is that no further one is promised room.
        _ = loop.Pipes.Descriptors.MayTrafficHave(fd);
        if (loop.IsCurrent)
            loop.Pace.Interrupt();
        var remote = _clients.Get(new ReadOnlySpan<byte>(address, (int)Math.Min(length, SocketAddresses.MaxLength)));
        connection = new LinuxConnection(loops.Choose(loop), fd, remote);
        return 0;
    }

    private void Wake() => loop.Post(this);

    /// <summary>When the loop is done with its events; once, however many of those ask for it meanwhile.</summary>
    private void LookAgain()
    {
        if (loop.IsCurrent)
        {
            if (_queued)
                return;
            _queued = true;
        }

        loop.Post(this);
    }

    private ref ManualResetValueTaskSourceCore<TransportConnection> End()
    {
        _waiting = false;
        _token = default;
        _registration.Unregister();
        _registration = default;
        return ref _core;
    }

    /// <summary>Begins an accept loop on the event loop, where each of its steps then continues.</summary>
    private sealed class StartWork(Func<Task> acceptLoop) : ILoopWork
    {
        public TaskCompletionSource<Task> Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run() => Ended.SetResult(acceptLoop());
    }
}
