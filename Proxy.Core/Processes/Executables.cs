namespace TorBalancer.Processes;

/// <summary>Finds programs.</summary>
internal static class Executables
{
    // Services and cron jobs often have a PATH without the sbin directories, where Debian keeps tor; nor has a user's PATH them.
    private static readonly string[] UsualDirectories = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/usr/local/sbin", "/bin", "/sbin"];

    /// <summary>The path of tor, or null when there is none.</summary>
    /// <param name="configured">auto (tor is searched for), a path, or a name to search for.</param>
    public static string? FindTor(string configured) =>
        Find(configured.Length == 0 || configured.Equals("auto", StringComparison.OrdinalIgnoreCase) ? "tor" : configured);

    /// <summary>The path of a program, or null when there is none that may be executed.</summary>
    /// <param name="name">A name to search for in PATH and the usual directories, or a path.</param>
    public static string? Find(string name) => Find(name, Environment.GetEnvironmentVariable("PATH"));

    internal static string? Find(string name, string? searchPath)
    {
        if (name.Contains('/'))
            return IsExecutable(name) ? Path.GetFullPath(name) : null;

        // A relative directory in PATH would make the choice depend on where we were started.
        return (searchPath ?? "").Split(':')
            .Where(directory => directory.StartsWith('/'))
            .Concat(UsualDirectories)
            .Select(directory => Path.Combine(directory, name))
            .FirstOrDefault(IsExecutable);
    }

    private static bool IsExecutable(string path)
    {
        const UnixFileMode execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return File.Exists(path) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & execute) != 0);
    }
}
