using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

// Blittable signatures throughout: the ahead-of-time compiler can then call libc without a stub.
[assembly: DisableRuntimeMarshalling]

namespace TorBalancer.Transport.Linux;

/// <summary>
/// The system calls of the engine. Those that never wait are called without telling the garbage collector
/// (SuppressGCTransition), which is most of what a managed call to libc costs. Each answers what libc answers; on -1
/// <see cref="LastError"/> says why.
/// </summary>
internal static unsafe partial class Libc
{
    public const int AfUnix = 1, AfInet = 2, AfInet6 = 10;
    public const int SockStream = 1, SockNonBlock = 0x800, SockCloExec = 0x80000;
    public const int MsgPeek = 2, MsgNoSignal = 0x4000, MsgMore = 0x8000;
    public const int ShutWrite = 1;
    public const uint EpollIn =
        0x001, EpollPriority = 0x002, EpollOut = 0x004, EpollErr = 0x008, EpollHup = 0x010, EpollRdHup = 0x2000, EpollEdge = 1u << 31;
    public const int EpollAdd = 1, EpollDelete = 2, EpollModify = 3, EpollCloExec = 0x80000;
    public const int OpenNonBlock = 0x800, OpenCloExec = 0x80000;
    public const int SetPipeSize = 1031, GetPipeSize = 1032;
    public const uint SpliceMove = 1, SpliceNonBlock = 2;

    private const int DescriptorLimit = 7;

    /// <summary>errno of this thread's last call.</summary>
    public static int LastError => *ErrnoLocation();

    [LibraryImport("libc", EntryPoint = "__errno_location")]
    [SuppressGCTransition]
    private static partial int* ErrnoLocation();

    [LibraryImport("libc", EntryPoint = "epoll_create1")]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl")]
    [SuppressGCTransition]
    public static partial int EpollControl(int epoll, int operation, int fd, void* epollEvent);

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    public static partial int EpollWait(int epoll, void* events, int maxEvents, int milliseconds);

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    public static partial int NanoSleep(TimeSpec* time, TimeSpec* left);

    [LibraryImport("libc", EntryPoint = "clock_getres")]
    public static partial int ClockResolution(int clock, TimeSpec* resolution);

    [LibraryImport("libc", EntryPoint = "eventfd")]
    public static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "read")]
    [SuppressGCTransition]
    public static partial nint Read(int fd, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write")]
    [SuppressGCTransition]
    public static partial nint Write(int fd, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "socket")]
    [SuppressGCTransition]
    public static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "accept4")]
    [SuppressGCTransition]
    private static partial int LibcAccept(int fd, void* address, uint* length, int flags);

    [LibraryImport("libc", EntryPoint = "bind")]
    [SuppressGCTransition]
    public static partial int Bind(int fd, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "connect")]
    [SuppressGCTransition]
    private static partial int LibcConnect(int fd, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "getsockname")]
    [SuppressGCTransition]
    public static partial int GetSocketName(int fd, void* address, uint* length);

    [LibraryImport("libc", EntryPoint = "setsockopt")]
    [SuppressGCTransition]
    public static partial int SetSocketOption(int fd, int level, int name, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "getsockopt")]
    [SuppressGCTransition]
    public static partial int GetSocketOption(int fd, int level, int name, void* value, uint* length);

    [LibraryImport("libc", EntryPoint = "recv")]
    [SuppressGCTransition]
    private static partial nint LibcReceive(int fd, void* buffer, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "send")]
    [SuppressGCTransition]
    private static partial nint LibcSend(int fd, void* buffer, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "poll")]
    [SuppressGCTransition]
    public static partial int Poll(PollRequest* requests, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "shutdown")]
    [SuppressGCTransition]
    public static partial void Shutdown(int fd, int how);

    [LibraryImport("libc", EntryPoint = "close")]
    [SuppressGCTransition]
    private static partial void LibcClose(int fd);

    [LibraryImport("libc", EntryPoint = "pipe2")]
    [SuppressGCTransition]
    public static partial int Pipe(int* ends, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    [SuppressGCTransition]
    public static partial int FileControl(int fd, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "splice")]
    [SuppressGCTransition]
    private static partial nint LibcSplice(int source, long* sourceOffset, int sink, long* sinkOffset, nuint count, uint flags);

    /// <summary>RLIMIT_NOFILE, soft; <see cref="int.MaxValue"/> when it cannot be read.</summary>
    public static int GetDescriptorLimit()
    {
        ResourceLimit limit;
        return GetLimit(DescriptorLimit, &limit) == 0 ? (int)Math.Min(limit.Soft, int.MaxValue) : int.MaxValue;
    }

    /// <summary>Soft to hard, which needs no privilege (setrlimit(2)).</summary>
    public static void RaiseDescriptorLimit()
    {
        ResourceLimit limit;
        if (GetLimit(DescriptorLimit, &limit) != 0 || limit.Soft >= limit.Hard)
            return;
        limit.Soft = limit.Hard;
        _ = SetLimit(DescriptorLimit, &limit);
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    [SuppressGCTransition]
    private static partial int GetLimit(int resource, ResourceLimit* limit);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    [SuppressGCTransition]
    private static partial int SetLimit(int resource, ResourceLimit* limit);

    /// <summary>struct rlimit.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ResourceLimit
    {
        public nuint Soft;
        public nuint Hard;
    }

    /// <summary>struct timespec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PollRequest
    {
        public int Fd;
        public short Events;
        public short Happened;
    }
}
