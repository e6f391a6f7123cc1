using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>
/// The system calls of load generator and stub worker. Those that never block skip the runtime's transition, so that
/// the measuring side costs little more than it would in C. The error code is read by <see cref="Marshal.GetLastSystemError"/>.
/// </summary>
internal static unsafe partial class Native
{
    public const int AfInet = 2, SockStream = 1, SockRaw = 3, IpProtoRaw = 255, SockNonBlock = 0x800, SockCloseOnExec = 0x80000;
    public const int SolSocket = 1, SoReuseAddr = 2, SoReceiveBuffer = 8, SoLinger = 13;
    public const int IpProtoIp = 0, IpBindAddressNoPort = 24, IpProtoTcp = 6, TcpNoDelay = 1;
    public const int MsgDontWait = 0x40, MsgTrunc = 0x20, MsgNoSignal = 0x4000;
    public const int Again = 11, InProgress = 115, Interrupted = 4;
    public const uint EpollIn = 1, EpollOut = 4, EpollError = 8, EpollHangUp = 0x10, EpollEdge = 1u << 31;
    public const int EpollAdd = 1, EpollRemove = 2, EpollModify = 3;
    public const int EpollCloseOnExec = 0x80000;
    public const int SchedFifo = 1;
    public const int SigInt = 2, SigTerm = 15, SigKill = 9;

    [LibraryImport("libc", EntryPoint = "socket"), SuppressGCTransition]
    public static partial int Socket(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind"), SuppressGCTransition]
    public static partial int Bind(int fd, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "listen"), SuppressGCTransition]
    public static partial int Listen(int fd, int backlog);

    [LibraryImport("libc", EntryPoint = "connect"), SuppressGCTransition]
    public static partial int Connect(int fd, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "accept4"), SuppressGCTransition]
    public static partial int Accept(int fd, byte* address, int* length, int flags);

    [LibraryImport("libc", EntryPoint = "recv"), SuppressGCTransition]
    public static partial nint Receive(int fd, byte* buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "send"), SuppressGCTransition]
    public static partial nint Send(int fd, byte* buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "sendfile"), SuppressGCTransition]
    public static partial nint SendFile(int fd, int file, long* offset, nint count);

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MemoryFile(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "write")]
    public static partial nint Write(int fd, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "close"), SuppressGCTransition]
    public static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "setsockopt"), SuppressGCTransition]
    public static partial int SetOption(int fd, int level, int name, int* value, int length);

    [LibraryImport("libc", EntryPoint = "epoll_create1")]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl"), SuppressGCTransition]
    public static partial int EpollControl(int epoll, int operation, int fd, byte* interest);

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    public static partial int EpollWait(int epoll, byte* events, int capacity, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "clock_gettime"), SuppressGCTransition]
    public static partial int ClockGetTime(int clock, long* secondsAndNanoseconds);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    public static partial int SetAffinity(int thread, nint length, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler")]
    public static partial int SetScheduler(int thread, int policy, int* priority);

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Kill(int process, int signal);
}
