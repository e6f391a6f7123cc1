namespace TorBalancer.Daemon.Testnet.Nodes;

/// <summary>Finds programs.</summary>
internal static class Executables
{
    // Services and cron jobs often have a PATH without the sbin directories, where Debian keeps tor.
    private static readonly string[] SystemDirectories = ["/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin", "/bin", "/sbin"];

    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Its path, or null when there is none.</summary>
    public static string? Find(string name)
    {
        string[] path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        foreach (string directory in path.Concat(SystemDirectories))
        {
            string file = Path.Combine(directory, name);
            if (File.Exists(file) && (File.GetUnixFileMode(file) & Executable) != 0)
                return file;
        }

        return null;
    }
}
