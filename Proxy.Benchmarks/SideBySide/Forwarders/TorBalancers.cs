using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Forwarders;

/// <summary>
/// Our own daemon in its variants. A name is torbalancer, then what differs from the released executable as a user
/// gets it: -fd (framework-dependent) or -before (another executable, named by --before), -linux or -sockets (engine),
/// -nolog (no access log).
/// </summary>
internal static class TorBalancers
{
    public const string Name = "torbalancer";

    public static bool IsName(string name) =>
        name.Split('-') is [Name, .. var rest] && rest.All(static part => part is "fd" or "before" or "linux" or "sockets" or "nolog");

    /// <param name="root">The repository.</param>
    /// <param name="name">See above.</param>
    /// <param name="profile">Whether its compiled methods are to have names for perf.</param>
    /// <param name="before">The executable of -before.</param>
    /// <param name="isTransparent">Whether it has a transparent listener as well, at the site's third port.</param>
    /// <returns>Null where that executable has not been built.</returns>
    public static ForwarderSpec? Create(
        string root, string name, bool profile = false, string? before = null, bool isTransparent = false)
    {
        string[] parts = name.Split('-');
        bool log = !parts.Contains("nolog");
        string? engine = parts.FirstOrDefault(static part => part is "linux" or "sockets");
        var (what, executable) = parts.Contains("fd") ? ("framework-dependent", FrameworkDependent(root))
            : parts.Contains("before") ? ("the executable of --before", before is null ? null : Existing(before))
            : ("the released executable", Released(root));
        if (executable is null)
            return null;

        var environment = new Dictionary<string, string>();
        if (engine is not null)
            environment["TORBALANCER_Engine__Transport"] = engine;
        if (profile)
            environment["DOTNET_PerfMapEnabled"] = "3";
        return new ForwarderSpec(
            name,
            site => site.Logged($"{executable} run --config {site.Write(name + ".conf", Configuration(site, log, isTransparent))}", name))
        {
            What = $"{what}, engine {engine ?? "as by default"}, "
                + $"access log {(log ? "on (default) to a file" : "off")}; SOCKS5 or CONNECT in, round robin, isolation token, SOCKS5 out",
            VersionCommand = $"{executable} --version",
            Environment = environment,
            SpeaksConnect = true,
            SpeaksHttp = true,
            IsOurs = true,
        };
    }

    public static string? FrameworkDependent(string root) => Existing(Path.Combine(root, "Proxy.Daemon/bin/Release/net10.0/torbalancer"));

    /// <summary>The newest that eng/release.sh has built for this processor; its symbols end otherwise.</summary>
    public static string? Released(string root)
    {
        string directory = Path.Combine(root, "artifacts");
        string processor = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64";
        return !Directory.Exists(directory) ? null : Directory.EnumerateFiles(directory, $"torbalancer-*-linux-{processor}")
            .MaxBy(File.GetLastWriteTimeUtc);
    }

    private static string? Existing(string path) => File.Exists(path) ? path : null;

    private static string Configuration(ForwarderSite site, bool log, bool isTransparent) => $"""
        [Listener:main]
        Address = 127.0.0.1:{site.Port}

        {(isTransparent ? $"[Listener:lan]\nAddress = 127.0.0.1:{site.ThirdPort}\nProtocols = transparent" : "")}

        [Admin]
        Address = 127.0.0.1:{site.SecondPort}
        Socket = none

        [Balancing]
        Mode = round_robin

        [Health]
        Enabled = no

        [Log]
        Access = {(log ? "yes" : "no")}

        {string.Join('\n', site.Workers.Select(Worker))}
        """;

    private static string Worker(int port, int index) => $"[Worker:worker-{index}]\nAddress = 127.0.0.1\nSocksPort = {port}\n";
}
