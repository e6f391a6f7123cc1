using System.Runtime.InteropServices;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// The calls of each connection's way, through syscall(2). The functions that libc has for them are points where a thread may be
/// cancelled (pthreads(7)): in a process with threads each of them switches that on and off again, which no thread here needs.
/// </summary>
internal static unsafe partial class Libc
{
    private static readonly Numbers Calls = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => new Numbers(Close: 3, Connect: 42, SendTo: 44, ReceiveFrom: 45, Splice: 275, Accept4: 288),
        Architecture.Arm64 => new Numbers(Close: 57, Connect: 203, SendTo: 206, ReceiveFrom: 207, Splice: 76, Accept4: 242),
        _ => default,
    };

    public static int Accept(int fd, void* address, uint* length, int flags) =>
        Calls.Known ? (int)SystemCall(Calls.Accept4, fd, (nint)address, (nint)length, flags, 0, 0) : LibcAccept(fd, address, length, flags);

    public static int Connect(int fd, void* address, uint length) =>
        Calls.Known ? (int)SystemCall(Calls.Connect, fd, (nint)address, (nint)length, 0, 0, 0) : LibcConnect(fd, address, length);

    public static nint Receive(int fd, void* buffer, nuint count, int flags) =>
        Calls.Known ? SystemCall(Calls.ReceiveFrom, fd, (nint)buffer, (nint)count, flags, 0, 0) : LibcReceive(fd, buffer, count, flags);

    public static nint Send(int fd, void* buffer, nuint count, int flags) =>
        Calls.Known ? SystemCall(Calls.SendTo, fd, (nint)buffer, (nint)count, flags, 0, 0) : LibcSend(fd, buffer, count, flags);

    public static void Close(int fd)
    {
        if (Calls.Known)
            SystemCall(Calls.Close, fd, 0, 0, 0, 0, 0);
        else
            LibcClose(fd);
    }

    public static nint Splice(int source, long* sourceOffset, int sink, long* sinkOffset, nuint count, uint flags) => Calls.Known
        ? SystemCall(Calls.Splice, source, (nint)sourceOffset, sink, (nint)sinkOffset, (nint)count, (nint)flags)
        : LibcSplice(source, sourceOffset, sink, sinkOffset, count, flags);

    [LibraryImport("libc", EntryPoint = "syscall")]
    [SuppressGCTransition]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third, nint fourth, nint fifth, nint sixth);

    /// <summary>From the kernel's syscall tables; all 0 on an architecture whose table is not here.</summary>
    private readonly record struct Numbers(int Close, int Connect, int SendTo, int ReceiveFrom, int Splice, int Accept4)
    {
        public bool Known => Close != 0;
    }
}
