using TorBalancer.Interop;

namespace TorBalancer.Daemon.Tor;

/// <summary>The directories and files of managed workers: private, kept between runs, and never used by two at once.</summary>
internal static class ManagedWorkerFiles
{
    // Signed documents that tor checks again when it loads them. The file "state" is not among them: it holds the guards.
    private static readonly string[] Caches = ["cached-certs", "cached-microdesc-consensus", "cached-microdescs", "cached-microdescs.new"];

    /// <summary>
    /// Makes a directory, and its parents, that only we may enter; tor refuses others. One of ours that is there is narrowed, and may
    /// be a link that an operator made; another user's throws <see cref="UntrustedPathException"/>.
    /// </summary>
    public static void MakePrivate(string directory) =>
        PrivateDirectory.Make(directory, PrivateDirectoryOptions.MayBeLink | PrivateDirectoryOptions.MayBeOpen);

    /// <summary>Writes a file that only we may read.</summary>
    public static void WritePrivate(string path, IEnumerable<string> lines)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var writer = new StreamWriter(path, options);
        foreach (string line in lines)
            writer.Write(line + "\n");
    }

    /// <summary>
    /// Takes a lock that ends with its disposal or our process, or null when another process has it. It is flock(2), as
    /// tor's own lock on its data directory is, so that each sees the other's.
    /// </summary>
    public static FileStream? TryLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException failure) when (failure.GetType() == typeof(IOException))
        {
            return null;
        }
    }

    /// <summary>True when a tor runs on this data directory.</summary>
    public static bool IsHeld(string dataDirectory)
    {
        string path = Path.Combine(dataDirectory, "lock");
        if (!File.Exists(path))
            return false;
        using var free = TryLock(path);
        return free is null;
    }

    /// <summary>
    /// Gives a data directory that was never used the directory documents of another one: a new worker then need not load
    /// them from the network. Only between runs: the files must not be in use.
    /// </summary>
    /// <returns>True when something was copied.</returns>
    public static bool CopyCaches(string from, string to)
    {
        if (File.Exists(Path.Combine(to, "state"))
            || Caches.Any(name => File.Exists(Path.Combine(to, name)))
            || !File.Exists(Path.Combine(from, Caches[1])))
            return false;
        foreach (string name in Caches.Where(name => File.Exists(Path.Combine(from, name))))
            File.Copy(Path.Combine(from, name), Path.Combine(to, name));
        return true;
    }
}
