using System.Globalization;

namespace TorBalancer.Daemon.Systemd;

/// <summary>The control group by which a service manager knows whose a process is (cgroups(7), "/proc files").</summary>
internal static class ServiceGroup
{
    // hierarchy:controllers:path, a line for each; the manager's own is the unified one, and beside or before that the named one.
    private const string Unified = "0::", Named = ":name=systemd:";

    /// <summary>Whether a process is in another group than this one; false where that cannot be read.</summary>
    public static bool IsAnother(int processId)
    {
        try
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/cgroup");
            return !IsSame(File.ReadAllText("/proc/self/cgroup"), File.ReadAllText(path));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Whether two files of this kind name the same group of the manager's.</summary>
    internal static bool IsSame(string one, string other) => Of(one).SequenceEqual(Of(other), StringComparer.Ordinal);

    private static IEnumerable<string> Of(string text) => text.Split('\n')
        .Where(static line =>
            line.StartsWith(Unified, StringComparison.Ordinal) || line.Contains(Named, StringComparison.Ordinal));
}
