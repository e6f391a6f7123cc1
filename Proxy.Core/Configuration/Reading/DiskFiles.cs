using TorBalancer.Configuration.Syntax;
using TorBalancer.Interop;

namespace TorBalancer.Configuration.Reading;

/// <summary>The real file system.</summary>
internal sealed class DiskFiles : IConfigurationFiles
{
    /// <summary>No configuration is longer; a device that never ends is not read for ever.</summary>
    private const int MaxBytes = 16 * 1024 * 1024;

    private static readonly string[] KernelFileSystems =
        ["proc", "sysfs", "cgroupfs", "cgroup2fs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "devpts"];

    public static DiskFiles Instance { get; } = new();

    public bool Exists(string path) => File.Exists(path);

    public bool TryRead(string path, out string text, out string problem)
    {
        text = "";
        problem = "";
        try
        {
            if (Directory.Exists(path))
            {
                problem = "is a directory";
                return false;
            }

            if (FileCalls.IsWaitedFor(path))
            {
                problem = "is a named pipe and no file";
                return false;
            }

            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var bytes = new MemoryStream();
            var buffer = new byte[64 * 1024];
            for (int read; (read = file.Read(buffer)) > 0;)
            {
                bytes.Write(buffer, 0, read);
                if (bytes.Length > MaxBytes)
                {
                    problem = "is longer than 16 MiB";
                    return false;
                }
            }

            return ConfEncoding.TryDecode(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), out text, out problem);
        }
        catch (Exception failure)
            when (failure is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            problem = failure switch
            {
                FileNotFoundException or DirectoryNotFoundException => "does not exist",
                UnauthorizedAccessException => "may not be read by this user",
                _ => "cannot be read",
            };
            return false;
        }
    }

    public TextReader? Open(string path)
    {
        try
        {
            return FileCalls.IsWaitedFor(path)
                ? null : new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    public bool TryList(string folder, out IReadOnlyList<string> names, out string problem)
    {
        (names, problem) = ([], "");
        try
        {
            if (Directory.Exists(folder))
                names = [.. Directory.EnumerateFileSystemEntries(folder).Select(static path => Path.GetFileName(path))];
            else if (new FileInfo(folder).LinkTarget is not null)
                problem = "is a link that leads to no folder";
            else if (File.Exists(folder))
                problem = "is a file";
            return problem.Length == 0;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            problem = failure is UnauthorizedAccessException ? "may not be read by this user" : "cannot be read";
            return false;
        }
    }

    public string? ProblemOfMaking(string path, bool isDirectory)
    {
        if (!isDirectory && Directory.Exists(path))
            return "is a directory";
        string? place = isDirectory ? path : Path.GetDirectoryName(path);
        while (place is not null && !Directory.Exists(place))
        {
            if (File.Exists(place))
                return place == path ? "is no directory" : $"cannot be made: {ConfText.Printable(place)} is no directory";
            place = Path.GetDirectoryName(place);
        }

        try
        {
            return place is not null && KernelFileSystems.Contains(new DriveInfo(place).DriveFormat)
                ? "cannot be made: it would be on a file system of the kernel's own"
                : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    public UnixFileMode? Mode(string path)
    {
        if (OperatingSystem.IsWindows())
            return null;
        try
        {
            return File.GetUnixFileMode(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
