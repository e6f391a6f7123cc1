using System.Globalization;
using System.Runtime.InteropServices;

namespace TorBalancer.Interop;

/// <summary>What may be in the way of a directory that is to be private.</summary>
[Flags]
internal enum PrivateDirectoryOptions : byte
{
    None = 0,

    /// <summary>
    /// The last name may be a symbolic link, when whoever made it is trusted: an operator moves data to another disk that way.
    /// </summary>
    MayBeLink = 1,

    /// <summary>
    /// One of ours that others may write to is closed to them. Without this it is refused: they may have put things into it.
    /// </summary>
    MayBeOpen = 2,
}

/// <summary>
/// A directory that is ours, that nobody else may enter, and that is held open: what is done by <see cref="Within"/> happens in this
/// directory, whatever becomes of its name. It is asked and changed by its descriptor only, never by its path.
/// </summary>
internal sealed class PrivateDirectory : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode WritableByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    private int _fd;

    private PrivateDirectory(string path, int fd)
    {
        Path = path;
        _fd = fd;
    }

    public string Path { get; }

    /// <summary>A path to something in it that does not go by its name. Valid until it is disposed.</summary>
    public string Within(string name) =>
        _fd < 0 ? System.IO.Path.Combine(Path, name) : string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_fd}/{name}");

    /// <summary>
    /// Makes it, with its parents, or takes the one that is there; its mode is 0700 then. Throws <see cref="UntrustedPathException"/>
    /// when what is there is another user's, leads elsewhere or is open to others, and IOException or UnauthorizedAccessException
    /// when it cannot be made.
    /// </summary>
    public static PrivateDirectory Open(string path, PrivateDirectoryOptions options = PrivateDirectoryOptions.None)
    {
        string full = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(full);
            return new PrivateDirectory(full, -1);
        }

        SharedFolders.Check(full);
        Directory.CreateDirectory(full, Private);
        if (!OperatingSystem.IsLinux())
            return new PrivateDirectory(full, -1);

        int fd = OpenHandle(full, options);
        try
        {
            Verify(full, fd, options);

            // Between the first look and the making, somebody else may have made a part of the way.
            SharedFolders.Check(full);
            return new PrivateDirectory(full, fd);
        }
        catch
        {
            FileCalls.Close(fd);
            throw;
        }
    }

    /// <summary>The same, where nothing has to be held open.</summary>
    public static void Make(string path, PrivateDirectoryOptions options = PrivateDirectoryOptions.None) => Open(path, options).Dispose();

    /// <summary>True when it is a directory of ours that nobody else may write to; a symbolic link is not.</summary>
    public static bool IsOurs(string path) => !OperatingSystem.IsLinux()
        ? Directory.Exists(path)
        : FileCalls.StatusOf(path, followLinks: false) is { IsDirectory: true } status
            && status.Owner == FileCalls.EffectiveUserId
            && (status.Permissions & WritableByOthers) == 0;

    public void Dispose()
    {
        if (_fd >= 0)
            FileCalls.Close(_fd);
        _fd = -1;
    }

    private static int OpenHandle(string path, PrivateDirectoryOptions options)
    {
        int flags = FileCalls.DirectoryOnly | FileCalls.CloseOnExec | (
            options.HasFlag(PrivateDirectoryOptions.MayBeLink) ? 0 : FileCalls.DoNotFollow);
        int fd = FileCalls.Open(path, flags, 0);
        if (fd >= 0)
            return fd;
        int error = Marshal.GetLastPInvokeError();
        if (FileCalls.StatusOf(path, followLinks: false) is { IsLink: true } && error is Errno.NotADirectory or Errno.TooManyLinks)
            throw new UntrustedPathException($"{path} is a symbolic link");
        throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    private static void Verify(string path, int fd, PrivateDirectoryOptions options)
    {
        if (FileCalls.StatusOf(fd) is not { } status)
            throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        if (status.Owner != FileCalls.EffectiveUserId)
            throw new UntrustedPathException(
                $"{path} belongs to {SharedFolders.Describe(status.Owner)}, not to us "
                    + $"({SharedFolders.Describe(FileCalls.EffectiveUserId)})");
        if ((status.Permissions & WritableByOthers) != 0 && !options.HasFlag(PrivateDirectoryOptions.MayBeOpen))
            throw new UntrustedPathException(
                $"{path} is writable by others (mode {Convert.ToString((int)status.Permissions, 8)}): what is in it may be theirs");
        if (status.Permissions != Private && FileCalls.ChangeMode(fd, (uint)Private) != 0)
            throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
    }
}
