namespace TorBalancer.Benchmarks.SideBySide.Forwarders;

/// <summary>
/// A plain relay of ours over epoll: the reference line of what moving bytes costs without a proxy's work. Only for who asks for it.
/// </summary>
internal static class RelayForwarders
{
    public const string Name = "relay";

    public static ForwarderSpec Create() =>
        new(
            Name,
            site => site.Logged($"{Environment.ProcessPath} relay --port {site.Port} --workers {string.Join(',', site.Workers)}", Name))
        {
            What = "a plain relay of ours over epoll; copies small data, splices bulk data; passes SOCKS5 through",
            VersionCommand = "uname -sr",

            // All of it is compiled once and for good: there is nothing to warm up for.
            Environment = new Dictionary<string, string> { ["DOTNET_TieredCompilation"] = "0" },
        };
}
