using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Tor;

namespace TorBalancer.Daemon.Publishing;

/// <summary>Where the publisher keeps things. Apart from the proxy's, also when one user runs both.</summary>
internal static class PublisherPaths
{
    private const string Directory = "torbalancer-publish", Socket = "publish.sock";

    /// <summary>The socket of the service: commands look there when the user's own has none.</summary>
    public const string ServiceSocket = "/run/torbalancer-publish/publish.sock";

    /// <summary>The status socket, or null for none.</summary>
    /// <param name="configured">auto, unix:/path or none.</param>
    /// <param name="environment">Gives an environment variable or null.</param>
    /// <param name="userId">Whose socket it is.</param>
    public static string? StatusSocket(string configured, Func<string, string?> environment, uint userId) =>
        AdminSocket.Resolve(configured, environment, userId, Directory, Socket);

    /// <summary>The managed tor's directories.</summary>
    /// <param name="configured">auto or a path.</param>
    /// <param name="hasSocksPort">Whether it serves health checks.</param>
    public static ManagedWorkerPaths Tor(string configured, bool hasSocksPort, Func<string, string?> environment) =>
        ManagedWorkerPaths.Resolve(RootOf(configured, environment), count: 1, environment) with { HasSocksPort = hasSocksPort };

    /// <summary>Where it stands which instances are drained; the same with a tor of the operator's.</summary>
    /// <param name="configured">auto or a path.</param>
    public static string Drained(string configured, Func<string, string?> environment) =>
        Path.Combine(RootOf(configured, environment), "drained");

    private static string RootOf(string configured, Func<string, string?> environment)
    {
        string root = ManagedWorkerPaths.RootOf(configured, environment);

        // systemd's directory is the publisher's alone; a user's is shared with the proxy.
        return configured == "auto" && environment("STATE_DIRECTORY") is null
            ? Path.Combine(Path.GetDirectoryName(root)!, Directory)
            : root;
    }
}
