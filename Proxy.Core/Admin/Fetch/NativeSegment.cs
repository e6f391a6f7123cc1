using System.Runtime.InteropServices;

namespace TorBalancer.Admin.Fetch;

/// <summary>
/// Bytes that are the system's again the moment they are given back. Arrays of this size stay with the collector until it
/// looks for them, which may be long after, and are moved or fragmented meanwhile.
/// </summary>
internal sealed unsafe partial class NativeSegment : IDisposable
{
    // mmap(2), asm-generic/mman-common.h.
    private const int ProtRead = 1, ProtWrite = 2;
    private const int MapPrivate = 2, MapAnonymous = 0x20;

    private readonly int _length;
    private byte* _start;

    private NativeSegment(byte* start, int length)
    {
        _start = start;
        _length = length;
    }

    /// <summary>All of it. Not to be used any more once it was disposed.</summary>
    public Span<byte> Span => new(_start, _start == null ? 0 : _length);

    /// <exception cref="InsufficientMemoryException">The system has no more.</exception>
    public static NativeSegment Allocate(int length)
    {
        if (!OperatingSystem.IsLinux())
            return new NativeSegment((byte*)NativeMemory.Alloc((nuint)length), length);
        nint start = Map(0, (nuint)length, ProtRead | ProtWrite, MapPrivate | MapAnonymous, -1, 0);
        return start == -1 ? throw new InsufficientMemoryException() : new NativeSegment((byte*)start, length);
    }

    public void Dispose()
    {
        byte* start = _start;
        _start = null;
        if (start == null)
            return;
        if (OperatingSystem.IsLinux())
            _ = Unmap((nint)start, (nuint)_length);
        else
            NativeMemory.Free(start);
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
