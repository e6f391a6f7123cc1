using System.Runtime.InteropServices;

namespace TorBalancer.Interop;

/// <summary>What the kernel says of a file (statx(2)).</summary>
/// <param name="Device">Device and inode together are a file's identity, whatever its name is by now.</param>
/// <param name="Owner">The user id of its owner.</param>
/// <param name="Mode">Kind and permissions, as st_mode.</param>
internal readonly record struct FileStatus(ulong Device, ulong Inode, uint Owner, ushort Mode)
{
    /// <summary>The id of its group.</summary>
    public uint Group { get; init; }

    /// <summary>When its content, or what else is known of it, was changed last: nanoseconds since 1970 (st_ctime).</summary>
    public long ChangedAt { get; init; }

    /// <summary>sizeof(struct statx), the same on all architectures.</summary>
    public const int BufferBytes = 256;

    /// <summary>STATX_BASIC_STATS.</summary>
    public const uint Wanted = 0x7ff;

    private const int KindMask = 0xF000, Directory = 0x4000, File = 0x8000, Link = 0xA000, Socket = 0xC000, Pipe = 0x1000;

    public bool IsDirectory => (Mode & KindMask) == Directory;

    /// <summary>A regular file.</summary>
    public bool IsFile => (Mode & KindMask) == File;

    public bool IsLink => (Mode & KindMask) == Link;

    public bool IsSocket => (Mode & KindMask) == Socket;

    /// <summary>A named pipe: who opens it to read waits until somebody writes.</summary>
    public bool IsPipe => (Mode & KindMask) == Pipe;

    /// <summary>The permissions alone.</summary>
    public UnixFileMode Permissions => (UnixFileMode)(Mode & 0xFFF);

    /// <summary>True when somebody who is neither the owner nor in the group may make and remove names in it.</summary>
    public bool IsWritableByAll => !IsLink && (Permissions & UnixFileMode.OtherWrite) != 0;

    /// <summary>True when both are one file.</summary>
    public bool IsSameFile(FileStatus other) => Device == other.Device && Inode == other.Inode;

    //  0          16      20     24     28      32      …  96             104                  …  136         140
    //  +----------+-------+------+------+-------+-------+  +--------------+--------------------+  +-----------+-----------+
    //  | mask …   | links | uid  | gid  | mode  | inode |  | ctime in s   | and ns             |  | dev major | dev minor |
    //  +----------+-------+------+------+-------+-------+  +--------------+--------------------+  +-----------+-----------+
    public static unsafe FileStatus Read(byte* statx)
    {
        var bytes = new ReadOnlySpan<byte>(statx, BufferBytes);
        ulong device = ((ulong)MemoryMarshal.Read<uint>(bytes[136..]) << 32) | MemoryMarshal.Read<uint>(bytes[140..]);
        return new FileStatus(
            device, MemoryMarshal.Read<ulong>(bytes[32..]), MemoryMarshal.Read<uint>(bytes[20..]), MemoryMarshal.Read<ushort>(bytes[28..]))
        {
            Group = MemoryMarshal.Read<uint>(bytes[24..]),
            ChangedAt = (MemoryMarshal.Read<long>(bytes[96..]) * 1_000_000_000) + MemoryMarshal.Read<uint>(bytes[104..]),
        };
    }
}
