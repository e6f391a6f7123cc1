using System.Globalization;

namespace TorBalancer.Server;

/// <summary>
/// The memory cgroup that this process is in and those around it (cgroups(7)), as far as they have a limit: systemd's MemoryMax, a
/// slice's, a container's. Beyond any of them the kernel kills. What the page cache holds counts as used there and is given up
/// first, so it is not used here.
/// </summary>
internal sealed class MemoryGroup
{
    private readonly IReadOnlyList<Level> _levels;

    private MemoryGroup(IReadOnlyList<Level> levels) => _levels = levels;

    /// <summary>The least limit, in bytes.</summary>
    public long Limit => _levels.Min(static level => level.Limit);

    /// <summary>
    /// Bytes that are left where the least is left: a group around this one holds others too. Where what is used cannot be read,
    /// nothing is.
    /// </summary>
    public long Free() => _levels.Min(static level => level.Limit - level.Used());

    /// <summary>Null: there is no limit, or none that can be read.</summary>
    /// <param name="membership">Where the process' groups are listed.</param>
    /// <param name="mount">Where the file systems of groups are.</param>
    public static MemoryGroup? Find(string membership = "/proc/self/cgroup", string mount = "/sys/fs/cgroup")
    {
        var levels = new List<Level>();
        try
        {
            foreach (string line in File.ReadLines(membership))
            {
                // hierarchy:controllers:path; the second version has hierarchy 0 and names no controllers.
                string[] parts = line.Split(':', 3);
                if (parts.Length < 3)
                    continue;
                bool isSecond = parts[0] == "0";
                if (isSecond)
                    Find(levels, mount, parts[2], "memory.max", "memory.current", "");
                else if (parts[1].Split(',').Contains("memory"))
                    Find(levels, Path.Combine(mount, "memory"), parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_");
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
        }

        return levels.Count > 0 ? new MemoryGroup(levels) : null;
    }

    /// <param name="prefix">Of the parts that count the groups below as well, as what is used does.</param>
    private static void Find(List<Level> levels, string root, string path, string limitName, string currentName, string prefix)
    {
        // In a container the path may be the host's, of which only the root is seen.
        for (string? at = path; at is not null; at = at == "/" ? null : Path.GetDirectoryName(at))
        {
            string directory = Path.Combine(root, at.TrimStart('/'));
            string file = Path.Combine(directory, limitName);

            // The first version says a huge number for none, the second a word.
            const long none = 1L << 60;
            if (File.Exists(file) && Number(File.ReadAllText(file)) is > 0 and < none and var limit)
                levels.Add(new Level(Path.Combine(directory, currentName), Path.Combine(directory, "memory.stat"), prefix, limit));
        }
    }

    private static long Number(string text) =>
        long.TryParse(text.AsSpan().Trim(), CultureInfo.InvariantCulture, out long number) ? number : 0;

    /// <param name="Current">The file with the bytes that are used.</param>
    /// <param name="Stat">The file with their parts.</param>
    /// <param name="Prefix">Of the parts' names.</param>
    /// <param name="Limit">In bytes.</param>
    private sealed record Level(string Current, string Stat, string Prefix, long Limit)
    {
        /// <summary>Bytes that only the group's processes can give back; 0 when that cannot be read.</summary>
        public long Used()
        {
            try
            {
                long used = Number(File.ReadAllText(Current));
                foreach (string line in File.ReadLines(Stat))
                {
                    if (line.StartsWith($"{Prefix}active_file ", StringComparison.Ordinal)
                        || line.StartsWith($"{Prefix}inactive_file ", StringComparison.Ordinal))
                        used -= Number(line[line.IndexOf(' ', StringComparison.Ordinal)..]);
                }

                return Math.Max(0, used);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                return 0;
            }
        }
    }
}
