using System.Runtime.InteropServices;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Terminal;

/// <summary>
/// The calls on a terminal that are needed to draw on it and to read single keys. Console has them too, but it sets a terminal up for
/// itself, and back only when the process ends. Linux only.
/// </summary>
internal static unsafe partial class TerminalCalls
{
    public const int Input = 0, Output = 1, Error = 2;

    // struct termios of glibc and musl, the same on all architectures but for those that .NET does not run on:
    // 0        4        8        12       16       17          52       56
    // +--------+--------+--------+--------+--------+-----------+--------+--------+
    // | c_iflag| c_oflag| c_cflag| c_lflag| c_line | c_cc[32] …| ispeed | ospeed |
    // +--------+--------+--------+--------+--------+-----------+--------+--------+
    private const int TermiosBytes = 60, LocalFlags = 12, ControlCharacters = 17;

    private const uint Canonical = 2, Echo = 8;

    // Of c_cc: how many bytes a read waits for, and for how long.
    private const int LeastBytes = 6, ReadTime = 5;

    private const int SetNow = 0;

    private const nuint GetWindowSize = 0x5413;

    /// <summary>True when a descriptor is a terminal.</summary>
    public static bool IsTerminal(int fd) => IsATty(fd) == 1;

    /// <summary>Columns and rows of a terminal; null: it does not say, or is none.</summary>
    public static (int Width, int Height)? SizeOf(int fd)
    {
        // struct winsize: rows, columns, and both in pixels.
        ushort* size = stackalloc ushort[4];
        return IoCtl(fd, GetWindowSize, size) == 0 && size[0] > 0 && size[1] > 0 ? (size[1], size[0]) : null;
    }

    /// <summary>How a terminal is set up, to be given back to <see cref="Restore"/>; null: it is none.</summary>
    public static byte[]? Settings(int fd)
    {
        var settings = new byte[TermiosBytes];
        fixed (byte* bytes = settings)
            return GetAttributes(fd, bytes) == 0 ? settings : null;
    }

    public static void Restore(int fd, byte[] settings)
    {
        fixed (byte* bytes = settings)
            _ = SetAttributes(fd, SetNow, bytes);
    }

    /// <summary>Keys come one by one, and are not shown. Ctrl-C and Ctrl-Z stay what they are.</summary>
    public static void ReadKeys(int fd, byte[] settings)
    {
        var changed = (byte[])settings.Clone();
        fixed (byte* bytes = changed)
        {
            *(uint*)(bytes + LocalFlags) &= ~(Canonical | Echo);
            bytes[ControlCharacters + LeastBytes] = 1;
            bytes[ControlCharacters + ReadTime] = 0;
            _ = SetAttributes(fd, SetNow, bytes);
        }
    }

    /// <summary>What is typed is not shown; it comes line by line, as usual.</summary>
    public static void HideKeys(int fd, byte[] settings)
    {
        var changed = (byte[])settings.Clone();
        fixed (byte* bytes = changed)
        {
            *(uint*)(bytes + LocalFlags) &= ~Echo;
            _ = SetAttributes(fd, SetNow, bytes);
        }
    }

    /// <summary>
    /// What was typed, at least a byte; 0: the terminal is gone. Console's own stream would wait for a whole line.
    /// </summary>
    public static int Read(int fd, Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            nint count;
            do
                count = Read(fd, bytes, (nuint)buffer.Length);
            while (count < 0 && Marshal.GetLastPInvokeError() == Errno.Interrupted);
            return (int)Math.Max(0, count);
        }
    }

    /// <summary>
    /// True when a descriptor is a pipe that nobody reads any more. The runtime takes the signal for that, and Console keeps the error to
    /// itself: who writes without an end has to ask.
    /// </summary>
    public static bool IsUnread(int fd)
    {
        // struct pollfd: descriptor, events, and what came of them.
        const long hasError = 8;
        long poll = (uint)fd;
        return Poll(&poll, 1, 0) == 1 && ((poll >> 48) & hasError) != 0;
    }

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(long* descriptors, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "isatty")]
    private static partial int IsATty(int fd);

    [LibraryImport("libc", EntryPoint = "tcgetattr")]
    private static partial int GetAttributes(int fd, byte* settings);

    [LibraryImport("libc", EntryPoint = "tcsetattr")]
    private static partial int SetAttributes(int fd, int when, byte* settings);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int IoCtl(int fd, nuint request, ushort* size);
}
