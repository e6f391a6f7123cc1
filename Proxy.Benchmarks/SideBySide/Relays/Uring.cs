using System.Runtime.InteropServices;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>io_uring's three system calls, their structures and numbers, as in linux/io_uring.h.</summary>
internal static unsafe partial class Uring
{
    public const uint SetupCompletionSize = 1 << 3, SetupCoopTaskRun = 1 << 8, SetupSingleIssuer = 1 << 12, SetupDeferTaskRun = 1 << 13;
    public const uint EnterGetEvents = 1, EnterRegisteredRing = 1 << 4;
    public const int RegisterFiles2 = 13, RegisterRingFds = 20, RegisterBufferRing = 22, RegisterFileAllocationRange = 25;
    public const uint RegisterSparse = 1;
    public const long QueuesOffset = 0, SubmissionsOffset = 0x10000000;

    public const byte PollAdd = 6, Accept = 13, Cancel = 14, Connect = 16, Close = 19, Send = 26, Receive = 27, Splice = 30, Shutdown = 34, Socket = 45, Command = 46;
    public const byte FixedFile = 1, BufferSelect = 1 << 5, SkipSuccess = 1 << 6;
    public const ushort AcceptMultishot = 1, PollFirst = 1, ReceiveMultishot = 1 << 1;
    public const uint CancelAll = 1, CancelFd = 1 << 1, CancelFixed = 1 << 3;
    public const uint AnyFileIndex = uint.MaxValue;
    public const uint SetSocketOption = 3;
    public const uint HasBuffer = 1, HasMore = 1 << 1;
    public const int BufferShift = 16;

    public const int Interrupted = 4, Again = 11, Busy = 16, InvalidArgument = 22, NoBuffers = 105, Canceled = 125;
    public const uint PollIn = 1, PollOut = 4, PollHangUp = 0x2000;

    private const nint SetupNumber = 425, EnterNumber = 426, RegisterNumber = 427;
    private const int ReadWrite = 3, SharedPopulated = 0x8001;

    public static int LastError => Libc.LastError;

    public static int Setup(uint entries, Parameters* parameters) => (int)SystemCall(SetupNumber, (nint)entries, (nint)parameters, 0, 0, 0, 0);

    public static int Enter(int fd, uint submit, uint waitFor, uint flags) => (int)SystemCall(EnterNumber, fd, (nint)submit, (nint)waitFor, (nint)flags, 0, 0);

    public static int Register(int fd, int what, void* argument, uint count) => (int)SystemCall(RegisterNumber, fd, what, (nint)argument, (nint)count, 0, 0);

    /// <summary>Null when it fails.</summary>
    public static byte* Map(int fd, long offset, nuint length)
    {
        nint address = MemoryMap(0, length, ReadWrite, SharedPopulated, fd, offset);
        return address == -1 ? null : (byte*)address;
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third, nint fourth, nint fifth, nint sixth);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MemoryMap(nint address, nuint length, int protection, int flags, int fd, long offset);

    /// <summary>struct io_uring_sqe; names are those of the uses here.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    public struct Submission
    {
        [FieldOffset(0)] public byte Operation;
        [FieldOffset(1)] public byte Flags;
        [FieldOffset(2)] public ushort Priority;
        [FieldOffset(4)] public int Fd;
        [FieldOffset(8)] public ulong Offset;
        [FieldOffset(16)] public ulong Address;
        [FieldOffset(24)] public uint Length;
        [FieldOffset(28)] public uint OperationFlags;
        [FieldOffset(32)] public ulong UserData;
        [FieldOffset(40)] public ushort BufferGroup;
        [FieldOffset(44)] public uint FileIndex;
        [FieldOffset(48)] public ulong Third;
    }

    /// <summary>struct io_uring_cqe.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Completion
    {
        public ulong UserData;
        public int Result;
        public uint Flags;
    }

    /// <summary>struct io_uring_params.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Parameters
    {
        public uint SubmissionEntries, CompletionEntries, Flags, ThreadCpu, ThreadIdle, Features, WorkersFd, Reserved1, Reserved2, Reserved3;
        public SubmissionQueueOffsets SubmissionOffsets;
        public CompletionQueueOffsets CompletionOffsets;
    }

    /// <summary>struct io_sqring_offsets.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct SubmissionQueueOffsets
    {
        public uint Head, Tail, Mask, Entries, Flags, Dropped, Array, Reserved;
        public ulong UserAddress;
    }

    /// <summary>struct io_cqring_offsets.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct CompletionQueueOffsets
    {
        public uint Head, Tail, Mask, Entries, Overflow, Completions, Flags, Reserved;
        public ulong UserAddress;
    }

    /// <summary>struct io_uring_buf.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 16)]
    public struct Buffer
    {
        [FieldOffset(0)] public ulong Address;
        [FieldOffset(8)] public uint Length;
        [FieldOffset(12)] public ushort Id;
    }

    /// <summary>struct io_uring_buf_reg.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct BufferRegistration
    {
        public ulong Address;
        public uint Entries;
        public ushort Group, Flags;
        public ulong Reserved1, Reserved2, Reserved3;
    }

    /// <summary>struct io_uring_rsrc_update.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ResourceUpdate
    {
        public uint Offset, Reserved;
        public ulong Data;
    }

    /// <summary>struct io_uring_rsrc_register.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ResourceRegistration
    {
        public uint Count, Flags;
        public ulong Reserved, Data, Tags;
    }

    /// <summary>struct io_uring_file_index_range.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct FileRange
    {
        public uint Offset, Length;
        public ulong Reserved;
    }
}
