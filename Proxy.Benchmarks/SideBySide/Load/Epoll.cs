using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>One epoll set. What is registered is known by a number of the caller's choice.</summary>
internal sealed unsafe class Epoll : IDisposable
{
    private const int Capacity = 512;

    // struct epoll_event is packed on x86-64 and nowhere else.
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int EventSize = DataOffset + 8;

    private readonly int _fd = Native.EpollCreate(Native.EpollCloseOnExec);
    private readonly byte* _events = (byte*)NativeMemory.AllocZeroed((nuint)(Capacity * 16));

    public void Add(int fd, uint interest, int id) => Control(Native.EpollAdd, fd, interest, id);

    public void Modify(int fd, uint interest, int id) => Control(Native.EpollModify, fd, interest, id);

    public void Remove(int fd) => Control(Native.EpollRemove, fd, 0, 0);

    /// <summary>How many are ready; 0 when the time is over.</summary>
    public int Wait(int timeoutMilliseconds)
    {
        int ready = Native.EpollWait(_fd, _events, Capacity, timeoutMilliseconds);
        return Math.Max(ready, 0);
    }

    public uint EventsOf(int index) => *(uint*)(_events + (index * EventSize));

    public int IdOf(int index) =>
        BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(_events + (index * EventSize) + DataOffset, 4));

    public void Dispose()
    {
        Native.Close(_fd);
        NativeMemory.Free(_events);
    }

    private void Control(int operation, int fd, uint interest, int id)
    {
        byte* change = stackalloc byte[16];
        *(uint*)change = interest;
        *(long*)(change + DataOffset) = id;
        if (Native.EpollControl(_fd, operation, fd, change) < 0)
            throw new Win32Exception(Marshal.GetLastSystemError(), "epoll_ctl");
    }
}
