using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>
/// Buffers that lie ready in a ring for whichever receive comes next (io_uring_register(2), IORING_REGISTER_PBUF_RING). The kernel
/// takes them in the order in which they were laid there.
/// </summary>
internal sealed unsafe class BufferRing
{
    public const int Count = 1024;
    public const int Size = 2048;
    public const ushort Group = 1;

    private const int Page = 4096;

    // The tail is where the first entry has two bytes to spare.
    private const int TailOffset = 14;

    private readonly Uring.Buffer* _ring = (Uring.Buffer*)NativeMemory.AlignedAlloc((nuint)(Count * sizeof(Uring.Buffer)), Page);
    private readonly byte* _memory = (byte*)NativeMemory.AlignedAlloc(Count * Size, Page);
    private ushort _tail;

    public BufferRing()
    {
        new Span<Uring.Buffer>(_ring, Count).Clear();
        for (int i = 0; i < Count; i++)
            Return((ushort)i);
    }

    public void* Address => _ring;

    public byte* this[ushort id] => _memory + (id * Size);

    public void Return(ushort id)
    {
        var entry = _ring + (_tail & (Count - 1));
        entry->Address = (ulong)(_memory + (id * Size));
        entry->Length = Size;
        entry->Id = id;
        Volatile.Write(ref *(ushort*)((byte*)_ring + TailOffset), ++_tail);
    }
}
