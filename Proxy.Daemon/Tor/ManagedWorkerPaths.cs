using System.Security.Cryptography;
using System.Text;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Tor;

/// <summary>Where the managed workers keep things.</summary>
/// <param name="Root">Parent of the data directories; kept between runs, because the guards are in it.</param>
/// <param name="Sockets">Parent of the directories with the sockets; null: ports of 127.0.0.1 instead.</param>
internal sealed record ManagedWorkerPaths(string Root, string? Sockets)
{
    /// <summary>Whether it gets a SocksPort at all: the publisher's tor has one only for its checks.</summary>
    public bool HasSocksPort { get; init; } = true;

    // sun_path is 108 bytes with its final NUL.
    private const int MaxSocketPath = 107;

    /// <summary>
    /// The directories in force: configured, or systemd's, or the user's by the XDG rules. Sockets are kept apart by a hash
    /// of the root, so that two daemons with different roots never take each other's.
    /// </summary>
    /// <param name="configured">auto or a path.</param>
    /// <param name="count">Number of workers: the longest id must fit.</param>
    /// <param name="environment">Gives an environment variable or null.</param>
    public static ManagedWorkerPaths Resolve(string configured, int count, Func<string, string?> environment)
    {
        string root = RootOf(configured, environment);
        string name = "workers-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(root)).AsSpan(0, 4));
        string?[] candidates =
        [
            FirstDirectory(environment("RUNTIME_DIRECTORY")) is { } runtime ? Path.Combine(runtime, name) : null,
            environment("XDG_RUNTIME_DIR") is ['/', ..] and var user && FileCalls.IsOurs(user)
                ? Path.Combine(user, "torbalancer", name)
                : null,
            Path.Combine(root, "run"),
        ];
        return new ManagedWorkerPaths(root, candidates.FirstOrDefault(path => path is not null && Fits(path, count)));
    }

    /// <summary>The root alone. Unlike the rest it needs no hash, and so no OpenSSL, which takes 8 ms to load.</summary>
    public static string RootOf(string configured, Func<string, string?> environment)
    {
        string home = environment("HOME") is { Length: > 0 } value ? value : "/";
        return Path.GetFullPath(
            configured.Length > 0 && !configured.Equals("auto", StringComparison.OrdinalIgnoreCase) ? configured
            : FirstDirectory(environment("STATE_DIRECTORY")) is { } state ? state
            : environment("XDG_STATE_HOME") is ['/', ..] and var xdg ? Path.Combine(xdg, "torbalancer")
            : Path.Combine(home, ".local/state/torbalancer"));
    }

    public string DataDirectory(string id) => Path.Combine(Root, id);

    public string TorrcPath(string id) => Path.Combine(Root, id + ".torrc");

    public string CookiePath(string id) => Path.Combine(DataDirectory(id), "control_auth_cookie");

    public string? SocksSocket(string id) => Sockets is null ? null : Path.Combine(Sockets, id, "socks");

    public string? ControlSocket(string id) => Sockets is null ? null : Path.Combine(Sockets, id, "control");

    /// <summary>Where tor writes the address of its control port.</summary>
    public string ControlPortFile(string id) => Path.Combine(DataDirectory(id), "control_port");

    private static bool Fits(string directory, int count) =>
        Encoding.UTF8.GetByteCount($"{directory}/tor-{count}/control") <= MaxSocketPath;

    // systemd gives several directories separated by colons when the unit has several.
    private static string? FirstDirectory(string? list) => list?.Split(':')[0] is ['/', ..] and var first ? first : null;
}
