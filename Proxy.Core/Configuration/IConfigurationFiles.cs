namespace TorBalancer.Configuration;

/// <summary>The few things that reading a configuration asks of the file system.</summary>
internal interface IConfigurationFiles
{
    bool Exists(string path);

    /// <summary>
    /// The whole text, or false with a predicate such as "does not exist". Bytes that are not UTF-8 are in it as <see cref="ConfEncoding"/> says.
    /// </summary>
    bool TryRead(string path, out string text, out string problem);

    /// <summary>The permissions, or null where they are unknown.</summary>
    UnixFileMode? Mode(string path);
}

/// <summary>The real file system.</summary>
internal sealed class DiskFiles : IConfigurationFiles
{
    /// <summary>No configuration is longer; a device that never ends is not read for ever.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

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
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            problem = exception switch
            {
                FileNotFoundException or DirectoryNotFoundException => "does not exist",
                UnauthorizedAccessException => "may not be read by this user",
                _ => "cannot be read",
            };
            return false;
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
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
