using System.Globalization;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Daemon.Tor;

/// <summary>The programs that carry Tor to a bridge in disguise: which of them the bridges need, and where they are.</summary>
internal static class PluggableTransports
{
    /// <summary>For each transport its programs, the better first, and the package of Debian that has one; empty: none has.</summary>
    private static readonly (string Transport, string[] Programs, string Package)[] Known =
    [
        ("obfs4", ["lyrebird", "obfs4proxy"], "obfs4proxy"),
        ("obfs3", ["lyrebird", "obfs4proxy"], "obfs4proxy"),
        ("scramblesuit", ["lyrebird", "obfs4proxy"], "obfs4proxy"),
        ("meek_lite", ["lyrebird", "obfs4proxy"], "obfs4proxy"),
        ("webtunnel", ["lyrebird", "webtunnel-client"], ""),
        ("snowflake", ["snowflake-client", "lyrebird"], "snowflake-client"),
        ("conjure", ["conjure-client"], ""),
    ];

    /// <summary>
    /// The torrc lines for these bridges, one ClientTransportPlugin for each program; or what is missing, in a sentence that begins with
    /// the bridges.
    /// </summary>
    /// <param name="configured">Programs that the configuration names.</param>
    /// <param name="find">The path of a program; null: there is none.</param>
    public static (IReadOnlyList<string> Lines, string? Problem) TorrcLines(
        IReadOnlyList<BridgeLine> bridges, IReadOnlyList<TransportProgram> configured, Func<string, string?> find)
    {
        if (bridges.Count == 0)
            return ([], null);
        var commands = new List<(string Command, List<string> Transports)>();
        foreach (var bridge in bridges.Where(static bridge => bridge.Transport is not null).DistinctBy(static bridge => bridge.Transport))
        {
            string transport = bridge.Transport!;
            string which = bridge.Line == 0 ? "a bridge" : string.Create(CultureInfo.InvariantCulture, $"the bridge in line {bridge.Line}");
            string? command = configured.FirstOrDefault(one => one.Transport == transport)?.Command;
            var (_, programs, package) = Array.Find(Known, row => row.Transport == transport);
            if (command is not null)
            {
                string program = command.Split(' ')[0];
                if (find(program) is null)
                    return ([], $"Transports = {transport}={command}: {program} is no program that can be run");
            }
            else if (programs is null)
            {
                return ([], $"{which} has the transport {transport}, of which nothing is known: name its program by "
                    + $"Transports = {transport}=/path/to/program");
            }
            else if ((command = programs.Select(find).FirstOrDefault(static path => path is not null)) is null)
            {
                string install = package.Length > 0 ? $"install Debian's package {package}, or " : "";
                return ([], $"{which} has the transport {transport}, and none of the programs for it is in PATH "
                    + $"({string.Join(", ", programs)}): {install}name one by Transports = {transport}=/path/to/program");
            }

            var same = commands.Find(one => one.Command == command);
            if (same.Transports is null)
                commands.Add((command, [transport]));
            else
                same.Transports.Add(transport);
        }

        return ([
            "UseBridges 1",
            .. commands.Select(static one => $"ClientTransportPlugin {string.Join(',', one.Transports)} exec {one.Command}"),
            .. bridges.Select(static bridge => "Bridge " + bridge.Text),
        ], null);
    }
}
