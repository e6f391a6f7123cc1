using System.Globalization;

namespace TorBalancer.Server;

/// <summary>
/// The memory cgroup that this process is in (cgroups(7)), when it has a limit: systemd's MemoryMax, a container's. Beyond it
/// the kernel kills. What the page cache holds counts as used there and is given up first, so it is not used here.
/// </summary>
/// <param name="current">The file with the bytes that are used.</param>
/// <param name="stat">The file with their parts.</param>
/// <param name="limit">In bytes.</param>
internal sealed class MemoryGroup(string current, string stat, long limit)
{
    public long Limit => limit;

    /// <summary>Bytes that only we can give back; 0 when that cannot be read.</summary>
    public long Used()
    {
        try
        {
            long used = Number(File.ReadAllText(current));
            foreach (string line in File.ReadLines(stat))
            {
                if (line.StartsWith("active_file ", StringComparison.Ordinal) || line.StartsWith("inactive_file ", StringComparison.Ordinal))
                    used -= Number(line[line.IndexOf(' ', StringComparison.Ordinal)..]);
            }

            return Math.Max(0, used);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>This process', or that of the nearest group around it that has a limit; null: there is none, or none that can be read.</summary>
    /// <param name="membership">Where the process' groups are listed.</param>
    /// <param name="mount">Where the file systems of groups are.</param>
    public static MemoryGroup? Find(string membership = "/proc/self/cgroup", string mount = "/sys/fs/cgroup")
    {
        try
        {
            foreach (string line in File.ReadLines(membership))
            {
                // hierarchy:controllers:path; the second version has hierarchy 0 and names no controllers.
                string[] parts = line.Split(':', 3);
                if (parts.Length < 3)
                    continue;
                bool isSecond = parts[0] == "0";
                if (!isSecond && !parts[1].Split(',').Contains("memory"))
                    continue;
                var found = isSecond
                    ? Find(mount, parts[2], "memory.max", "memory.current")
                    : Find(Path.Combine(mount, "memory"), parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes");
                if (found is not null)
                    return found;
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
        }

        return null;
    }

    private static MemoryGroup? Find(string root, string path, string limitName, string currentName)
    {
        // In a container the path may be the host's, of which only the root is seen.
        for (string? at = path; at is not null; at = at == "/" ? null : Path.GetDirectoryName(at))
        {
            string directory = Path.Combine(root, at.TrimStart('/'));
            string file = Path.Combine(directory, limitName);

            // The first version says a huge number for none, the second a word.
            const long none = 1L << 60;
            if (File.Exists(file) && Number(File.ReadAllText(file)) is > 0 and < none and var limit)
                return new MemoryGroup(Path.Combine(directory, currentName), Path.Combine(directory, "memory.stat"), limit);
        }

        return null;
    }

    private static long Number(string text) => long.TryParse(text.AsSpan().Trim(), CultureInfo.InvariantCulture, out long number) ? number : 0;
}
