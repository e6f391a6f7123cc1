using System.Text.RegularExpressions;

namespace TorBalancer.Tests.Support;

/// <summary>Reads what <c>strace -f -yy</c> wrote of one process: whom it spoke to and what it opened.</summary>
internal sealed partial class SystemCalls(IReadOnlyList<string> lines)
{
    /// <summary>Arguments of strace in front of the program; the process id stays the program's (-D).</summary>
    public static string[] Command(string output) =>
        [ClientProcess.Require("strace"), "-D", "-f", "-yy", "-q", "-s", "64", "-e", "trace=network,open,openat,openat2", "-o", output];

    /// <summary>Skips the calling test where tracing is not possible.</summary>
    public static async Task RequireAsync(CancellationToken token)
    {
        var result = await ClientProcess.RunAsync("strace", ["-f", "-o", "/dev/null", ClientProcess.Require("true")], token);
        if (result.ExitCode != 0)
            Assert.Ignore($"skipped: ptrace is not permitted here: {result.Error.Trim()}");
    }

    /// <summary>Every address of an internet family that was connected to, as host:port, with how often.</summary>
    public Dictionary<string, int> Connects => lines
        .Where(static line => ConnectCall().IsMatch(line))
        .Select(static line => InternetAddress().Match(line))
        .Where(static match => match.Success)
        .Select(static match => $"{match.Groups[2].Value}:{match.Groups[1].Value}")
        .CountBy(static address => address)
        .ToDictionary();

    /// <summary>Calls that connect to anything else: unix sockets, netlink, …</summary>
    public IEnumerable<string> OtherConnects =>
        lines.Where(
            static line =>
                ConnectCall().IsMatch(line) && !InternetAddress().IsMatch(line) && !line.Contains("resumed>", StringComparison.Ordinal));

    /// <summary>Calls that send, connect or bind a UDP socket, and any that names port 53.</summary>
    public IEnumerable<string> Datagrams =>
        lines.Where(static line => DatagramCall().IsMatch(line) || line.Contains("htons(53)", StringComparison.Ordinal));

    /// <summary>Opened files with one of these names.</summary>
    public IEnumerable<string> Opens(params string[] paths) =>
        lines.Where(line => paths.Any(path => line.Contains($"\"{path}\"", StringComparison.Ordinal)));

    [GeneratedRegex(@"^\d+ +connect\(")]
    private static partial Regex ConnectCall();

    [GeneratedRegex(@"sa_family=AF_INET6?, sin6?_port=htons\((\d+)\),.*?inet_(?:addr|pton)\((?:AF_INET6, )?""([^""]+)""")]
    private static partial Regex InternetAddress();

    [GeneratedRegex(@"^\d+ +(?:sendto|sendmsg|sendmmsg|connect|bind)\(\d+<UDP")]
    private static partial Regex DatagramCall();
}
