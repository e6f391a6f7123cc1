using System.Globalization;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Doctor;

/// <summary>This machine, as the kernel and the environment show it.</summary>
/// <param name="root">The directory that /proc and /sys are in: "/".</param>
/// <param name="environment">Gives an environment variable or null.</param>
internal sealed class SystemFacts(string root, Func<string, string?> environment)
{
    public const string SomaxConn = "proc/sys/net/core/somaxconn", LocalPorts = "proc/sys/net/ipv4/ip_local_port_range",
        TcpMemory = "proc/sys/net/ipv4/tcp_mem";

    /// <summary>Whether this machine forwards.</summary>
    public const string Forward4 = "proc/sys/net/ipv4/ip_forward", Forward6 = "proc/sys/net/ipv6/conf/all/forwarding";

    public string? Variable(string name) => environment(name) is { Length: > 0 } value ? value : null;

    /// <summary>A file of the user's own, as in ~/NAME; null: there is none, or it cannot be read.</summary>
    public string? ReadHome(string name) => Variable("HOME") is { } home ? Read(Path.Combine(home, name)) : null;

    /// <summary>A number of the kernel's; null: it does not tell.</summary>
    public long? Number(string path) =>
        Read(Path.Combine(root, path)) is { } text && long.TryParse(text.Trim(), CultureInfo.InvariantCulture, out long number)
            ? number
            : null;

    /// <summary>Numbers on one line.</summary>
    public IReadOnlyList<long> Numbers(string path) =>
        [
            .. (Read(Path.Combine(root, path)) ?? "").Split((char[])['\t', ' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
                .Select(static word => long.TryParse(word, CultureInfo.InvariantCulture, out long number) ? number : -1),
        ];

    /// <summary>The hard limit of open files of a process, which ours is raised to; null: it is not told.</summary>
    /// <param name="processId">Null: our own, which a daemon that is started here would have.</param>
    public long? DescriptorLimit(int? processId)
    {
        string name = processId?.ToString(CultureInfo.InvariantCulture) ?? "self";
        string? line = (Read(Path.Combine(root, $"proc/{name}/limits")) ?? "").Split('\n')
            .FirstOrDefault(static line => line.StartsWith("Max open files", StringComparison.Ordinal));
        return line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, _, _, var hard, ..]
            && long.TryParse(hard, CultureInfo.InvariantCulture, out long limit) ? limit : null;
    }

    /// <summary>Of a file; null: it is not there.</summary>
    public static UnixFileMode? ModeOf(string path) => FileCalls.StatusOf(path, followLinks: true)?.Permissions;

    private static string? Read(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path) : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
