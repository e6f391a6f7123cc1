using System.Runtime.InteropServices;
using System.Text;

namespace TorBalancer.Interop;

/// <summary>
/// The system calls on files that .NET does not offer: opening for append, opening without following symbolic links, and asking whose
/// a file is. Linux only; each answers what libc answers, and Marshal.GetLastPInvokeError() says why it failed (<see cref="Errno"/>).
/// </summary>
internal static unsafe partial class FileCalls
{
    // The same on every Linux architecture that .NET runs on but for the two that ARM numbers anew.
    public const int WriteOnly =
        1, Create = 0x40, NoControllingTerminal = 0x100, Append = 0x400, NonBlock = 0x800, CloseOnExec = 0x80000, PathOnly = 0x200000;

    /// <summary>Looks at the link itself (statx).</summary>
    public const int NoFollow = 0x100;

    // PATH_MAX of linux/limits.h.
    private const int MaxTarget = 4096;

    private const int CurrentDirectory = -100, EmptyPath = 0x1000;

    /// <summary>O_DIRECTORY.</summary>
    public static int DirectoryOnly => IsArm ? 0x4000 : 0x10000;

    /// <summary>O_NOFOLLOW.</summary>
    public static int DoNotFollow => IsArm ? 0x8000 : 0x20000;

    /// <summary>The effective user id: whose the files are that we make.</summary>
    public static uint EffectiveUserId => GetEffectiveUserId();

    private static bool IsArm => RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64;

    /// <summary>What stands at a path; null when nothing does or it cannot be asked.</summary>
    /// <param name="followLinks">False: of a symbolic link itself, as lstat(2).</param>
    public static FileStatus? StatusOf(string path, bool followLinks)
    {
        byte* buffer = stackalloc byte[FileStatus.BufferBytes];
        return StatX(CurrentDirectory, path, followLinks ? 0 : NoFollow, FileStatus.Wanted, buffer) == 0 ? FileStatus.Read(buffer) : null;
    }

    /// <summary>
    /// True for a named pipe, which opening could wait for ever at. A shell's own, which stands open at /dev/fd, has somebody who writes.
    /// </summary>
    public static bool IsWaitedFor(string path) =>
        !path.StartsWith("/dev/", StringComparison.Ordinal) && !path.StartsWith("/proc/", StringComparison.Ordinal)
            && OperatingSystem.IsLinux() && StatusOf(path, followLinks: true) is { IsPipe: true };

    /// <summary>What an open descriptor stands for.</summary>
    public static FileStatus? StatusOf(int fd)
    {
        byte* buffer = stackalloc byte[FileStatus.BufferBytes];
        return StatX(fd, "", EmptyPath, FileStatus.Wanted, buffer) == 0 ? FileStatus.Read(buffer) : null;
    }

    /// <summary>Where a symbolic link leads that is held open by <see cref="PathOnly"/>; null when it is none.</summary>
    public static string? TargetOf(int fd)
    {
        byte* buffer = stackalloc byte[MaxTarget];
        nint length = ReadLinkAt(fd, "", buffer, MaxTarget);
        return length is > 0 and < MaxTarget ? Encoding.UTF8.GetString(buffer, (int)length) : null;
    }

    /// <summary>
    /// True for an existing directory that belongs to us, as XDG_RUNTIME_DIR has to; that of another user (sudo keeps the variable) is his.
    /// </summary>
    public static bool IsOurs(string directory) => !OperatingSystem.IsLinux()
        ? Directory.Exists(directory)
        : StatusOf(directory, followLinks: true) is { IsDirectory: true } status && status.Owner == EffectiveUserId;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint ReadLinkAt(int directory, string path, byte* target, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int fd, byte* buffer, nuint count);

    /// <summary>What it answers changes nothing: the descriptor is gone either way.</summary>
    [LibraryImport("libc", EntryPoint = "close")]
    public static partial void Close(int fd);

    /// <summary>Programs that are started from now on do not inherit it (FD_CLOEXEC). 0, or -1 when it is no descriptor.</summary>
    public static int SetCloseOnExec(int fd)
    {
        const int setDescriptorFlags = 2, closeOnExec = 1;
        return FileControl(fd, setDescriptorFlags, closeOnExec);
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControl(int fd, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    public static partial int ChangeMode(int fd, uint mode);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ChangeMode(string path, uint mode);

    /// <summary>Of the file itself, not of what a symbolic link leads to.</summary>
    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ChangeOwner(string path, uint user, uint group);

    /// <summary>Another name for a file; unlike a rename it never takes the place of what has that name (link(2)).</summary>
    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Link(string path, string name);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUserId();
}
