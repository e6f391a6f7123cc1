using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Linux;

/// <summary>One connect that could not be finished at once.</summary>
internal sealed unsafe class ConnectOperation(EventLoop loop, TransportConnectRequest request, SocketSettings settings, bool inline)
    : IValueTaskSource<TransportConnectResult>, ILoopWork, IEventSink
{
    private ManualResetValueTaskSourceCore<TransportConnectResult> _core = new() { RunContinuationsAsynchronously = !inline };
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private int _fd = -1;
    private bool _done;

    /// <summary>Begins on the loop's thread, whichever thread this is.</summary>
    public ValueTask<TransportConnectResult> RunAsync(CancellationToken cancellationToken)
    {
        _token = cancellationToken;
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static state => ((ConnectOperation)state!).Wake(), this);
        loop.Post(this);
        return new ValueTask<TransportConnectResult>(this, _core.Version);
    }

    /// <summary>Takes over a socket whose connect is under way; on the loop's thread.</summary>
    public ValueTask<TransportConnectResult> FinishAsync(int fd, CancellationToken cancellationToken)
    {
        Watch(fd);
        if (_done)
            return new ValueTask<TransportConnectResult>(this, _core.Version);
        _token = cancellationToken;
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static state => ((ConnectOperation)state!).Wake(), this);
        return new ValueTask<TransportConnectResult>(this, _core.Version);
    }

    /// <summary>
    /// Opens, binds and connects: 0 and a connected socket, EINPROGRESS and one that is under way, or the error and none.
    /// </summary>
    public static int Start(EventLoop loop, in TransportConnectRequest request, SocketSettings settings, out int fd)
    {
        int family = request.Remote switch
        {
            IPEndPoint { AddressFamily: AddressFamily.InterNetwork } => Libc.AfInet,
            IPEndPoint => Libc.AfInet6,
            UnixDomainSocketEndPoint => Libc.AfUnix,
            _ => -1,
        };
        fd = -1;
        if (family < 0)
            return Errno.FamilyNotSupported;
        loop.Pace.Interrupt();
        const int type = Libc.SockStream | Libc.SockNonBlock | Libc.SockCloExec;
        fd = Libc.Socket(family, type, 0);
        if (fd < 0 && loop.Pipes.Trim())
            fd = Libc.Socket(family, type, 0);
        if (fd < 0)
            return Libc.LastError;

        // One that is being connected is open as well: the budget must not take it for another's.
        loop.CountConnection(1);
        if (!(request.IsService ? loop.Pipes.Descriptors.MayProbeHave(fd) : loop.Pipes.Descriptors.MayTrafficHave(fd)))
        {
            Close(loop, fd);
            fd = -1;
            return Errno.TooManyOpen;
        }

        SocketOptions.Apply(fd, settings, request.Remote, speaksFirst: !request.Opening.IsEmpty);
        int error = SocketOptions.Bind(fd, request.LocalAddress, request.LocalInterface);
        if (error == 0)
        {
            var address = request.Remote.Serialize();
            fixed (byte* start = address.Buffer.Span)
                error = Libc.Connect(fd, start, (uint)address.Size) == 0 ? 0 : Libc.LastError;
        }

        // On one machine the connection stands as soon as connect(2) returns, although it says EINPROGRESS: sending finds out.
        if (error == 0
            || (error == Errno.InProgress && request.Remote is IPEndPoint { Address: var remote } && IPAddress.IsLoopback(remote)))
            error = Open(fd, request);
        if (error is 0 or Errno.InProgress)
            return error;
        Close(loop, fd);
        fd = -1;
        return error;
    }

    void ILoopWork.Run()
    {
        if (_done)
            return;
        if (_token.IsCancellationRequested)
        {
            Drop();
            End().SetException(new OperationCanceledException(_token));
            return;
        }

        if (_fd >= 0)
            return;
        int error = Start(loop, request, settings, out int fd);
        if (error == Errno.InProgress)
            Watch(fd);
        else
            Complete(fd, error);
    }

    void IEventSink.OnEvents(uint events)
    {
        if (_done)
            return;
        int fd = _fd;
        int error = SocketOptions.TakeError(fd);
        if (error == 0)
            error = Open(fd, request);
        if (error == Errno.InProgress)
            return;
        loop.Remove(fd);
        _fd = -1;
        if (error != 0)
            Close(loop, fd);
        Complete(fd, error);
    }

    TransportConnectResult IValueTaskSource<TransportConnectResult>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<TransportConnectResult>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<TransportConnectResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    /// <summary>
    /// Sends the opening on a connection that may not stand yet: 0 when it is sent, EINPROGRESS when the loop must tell, or
    /// the error. It is short and the buffer empty, so it is sent whole or not at all.
    /// </summary>
    private static int Open(int fd, in TransportConnectRequest request)
    {
        var opening = request.Opening.Span;
        if (opening.IsEmpty)
        {
            const short writable = 4, failed = 8 | 16;
            var poll = new Libc.PollRequest { Fd = fd, Events = writable };
            if (Libc.Poll(&poll, 1, 0) <= 0)
                return Errno.InProgress;
            return (poll.Happened & failed) != 0 ? SocketOptions.TakeError(fd) : 0;
        }

        fixed (byte* start = opening)
        {
            nint sent = Libc.Send(fd, start, (nuint)opening.Length, Libc.MsgNoSignal);
            if (sent == opening.Length)
            {
                SocketOptions.Spoke(fd, request.Remote);
                return 0;
            }

            int error = sent < 0 ? Libc.LastError : Errno.NoBuffers;
            return error is Errno.TryAgain ? Errno.InProgress : error;
        }
    }

    private void Wake() => loop.Post(this);

    private void Watch(int fd)
    {
        _fd = fd;
        int error = loop.Add(fd, this, Libc.EpollOut);
        if (error == 0)
            return;
        _fd = -1;
        Close(loop, fd);
        Complete(fd, error);
    }

    private void Complete(int fd, int error) => End().SetResult(error == 0
        ? new TransportConnectResult(
            new LinuxConnection(loop, fd, (request.Remote as IPEndPoint)?.Address, isCounted: true), SocketError.Success)
        : new TransportConnectResult(null, SocketErrors.Of(error)));

    private void Drop()
    {
        if (_fd < 0)
            return;
        loop.Forget(_fd);
        Close(loop, _fd);
        _fd = -1;
    }

    private static void Close(EventLoop loop, int fd)
    {
        Libc.Close(fd);
        loop.CountConnection(-1);
    }

    private ref ManualResetValueTaskSourceCore<TransportConnectResult> End()
    {
        _done = true;
        _registration.Unregister();
        return ref _core;
    }
}
