namespace TorBalancer.Benchmarks.SideBySide.Forwarders;

/// <summary>
/// Two plain relays of ours with one task, one over epoll and one over io_uring: what the ring would bring the daemon's engine,
/// measured without the daemon. Only for who asks for them.
/// </summary>
internal static class RelayForwarders
{
    private static readonly Dictionary<string, (string Arguments, string What)> Known = new()
    {
        ["relay-epoll"] = ("epoll", "epoll; copies small data, splices bulk data"),
        ["relay-uring"] = ("uring", "io_uring; bulk data with splice(2) when the ring says that a socket is ready"),
        ["relay-uring-copy"] = ("uring --bulk copy", "io_uring; bulk data by receive and send"),
        ["relay-uring-splice"] = ("uring --bulk splice", "io_uring; bulk data by IORING_OP_SPLICE"),
        ["relay-uring-direct"] = ("uring --files direct", "io_uring with direct descriptors; bulk data by receive and send"),
    };

    public static bool IsName(string name) => Known.ContainsKey(name);

    public static ForwarderSpec Create(string name)
    {
        var (arguments, what) = Known[name];
        return new ForwarderSpec(
            name,
            site => site.Logged($"{Environment.ProcessPath} relay {arguments} --port {site.Port} --workers {string.Join(',', site.Workers)}", name))
        {
            What = $"a plain relay of ours over {what}; passes SOCKS5 through",
            VersionCommand = "uname -sr",

            // All of it is compiled once and for good: there is nothing to warm up for.
            Environment = new Dictionary<string, string> { ["DOTNET_TieredCompilation"] = "0" },
        };
    }
}
