using System.Globalization;
using System.Runtime.InteropServices;

namespace TorBalancer.Interop;

/// <summary>
/// Opens a file by the rule of <see cref="SharedFolders"/>, name by name: each folder is held open while the next name is looked up in it,
/// and what is judged is what was opened. So whoever changes the way between two looks gains nothing. Linux only.
/// </summary>
internal static class SharedFile
{
    // As many as SharedFolders takes.
    private const int MaxLinks = 8;

    private const int Hold = FileCalls.PathOnly | FileCalls.CloseOnExec;

    /// <summary>Opens it and returns its descriptor, or -1 with the error as the last one.</summary>
    /// <param name="path">An absolute path.</param>
    /// <param name="flags">Of open(2).</param>
    /// <param name="mode">Of a new file, less the umask.</param>
    /// <exception cref="UntrustedPathException">Somebody else has put a part of the way there.</exception>
    public static int Open(string path, int flags, uint mode) => Open(path, flags, mode, 0);

    private static int Open(string path, int flags, uint mode, int links)
    {
        if (links > MaxLinks)
            throw new UntrustedPathException($"{path} leads through too many symbolic links");

        // The kernel's own: links there (/dev/stdout leads to one) are no names.
        if (path.StartsWith("/proc/", StringComparison.Ordinal))
            return FileCalls.Open(path, flags, mode);
        string[] names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        string parent = "/";
        int folder = FileCalls.Open(parent, Hold, 0);
        try
        {
            for (int i = 0; i < names.Length; i++)
            {
                bool isLast = i == names.Length - 1;
                int next = Step(folder, names[i], isLast ? flags : Hold, mode);
                if (next < 0)
                    return -1;
                string at = Path.Combine(parent, names[i]);
                string? target = Judge(folder, next, at);
                if (target is not null)
                    return Open(Path.GetFullPath(Path.Combine([target, .. names[(i + 1)..]]), parent), flags, mode, links + 1);
                if (isLast)
                    return next;
                FileCalls.Close(folder);
                (folder, parent) = (next, at);
            }
        }
        finally
        {
            FileCalls.Close(folder);
        }

        throw new IOException($"{path} is no file");
    }

    /// <summary>What has the name in the folder; a symbolic link itself, held open only.</summary>
    private static int Step(int folder, string name, int flags, uint mode)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{folder}/{name}");
        int fd = FileCalls.Open(path, flags | FileCalls.DoNotFollow, mode);
        int error = Marshal.GetLastPInvokeError();

        // Kernels refuse a link of somebody else's with the second one when a file may be made.
        if (fd >= 0 || error is not (Errno.TooManyLinks or Errno.NoAccess))
            return fd;
        int link = FileCalls.Open(path, Hold | FileCalls.DoNotFollow, 0);
        if (link >= 0 && StatusOf(link).IsLink)
            return link;
        if (link >= 0)
            FileCalls.Close(link);
        Marshal.SetLastPInvokeError(error);
        return -1;
    }

    /// <summary>Where it leads when it is a link, which is closed then; it is closed also when it is not to be trusted.</summary>
    private static string? Judge(int folder, int found, string at)
    {
        bool isKept = false;
        try
        {
            var status = StatusOf(found);
            SharedFolders.Check(StatusOf(folder), status, at);
            isKept = !status.IsLink;
            return isKept ? null : FileCalls.TargetOf(found) ?? throw new IOException($"{at} cannot be followed");
        }
        finally
        {
            if (!isKept)
                FileCalls.Close(found);
        }
    }

    private static FileStatus StatusOf(int fd) =>
        FileCalls.StatusOf(fd) ?? throw new IOException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
}
