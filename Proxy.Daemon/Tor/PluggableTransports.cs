using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

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
    /// The torrc lines for these bridges, one ClientTransportPlugin for each program; or what is missing, once for each transport.
    /// </summary>
    /// <param name="options">What they are of, and which programs it names.</param>
    /// <param name="bridges">See <see cref="ManagedBridges.Of"/>.</param>
    /// <param name="find">The path of a program; null: there is none.</param>
    public static (IReadOnlyList<string> Lines, IReadOnlyList<TransportProblem> Problems) TorrcLines(
        ManagedWorkersOptions options, IReadOnlyList<BridgeLine> bridges, Func<string, string?> find)
    {
        if (bridges.Count == 0)
            return ([], []);
        var problems = new List<TransportProblem>();
        var commands = new List<(string Command, List<string> Transports)>();
        foreach (var bridge in bridges.Where(static bridge => bridge.Transport is not null).DistinctBy(static bridge => bridge.Transport))
        {
            string transport = bridge.Transport!;
            string? command = options.Transports.FirstOrDefault(one => one.Transport == transport)?.Command;
            if (ProblemOf(transport, options, bridge, find, ref command) is { } problem)
            {
                problems.Add(problem);
                continue;
            }

            var same = commands.Find(one => one.Command == command);
            if (same.Transports is null)
                commands.Add((command!, [transport]));
            else
                same.Transports.Add(transport);
        }

        if (problems.Count > 0)
            return ([], problems);
        return ([
            "UseBridges 1",
            .. commands.Select(static one => $"ClientTransportPlugin {string.Join(',', one.Transports)} exec {one.Command}"),
            .. bridges.Select(static bridge => "Bridge " + bridge.Text),
        ], []);
    }

    /// <param name="bridge">The first one that needs the transport.</param>
    /// <param name="command">The one that is configured; null: none, and the one that was found when the method returns null.</param>
    private static TransportProblem? ProblemOf(
        string transport, ManagedWorkersOptions options, BridgeLine bridge, Func<string, string?> find, ref string? command)
    {
        if (command is not null)
        {
            string program = command.Split(' ')[0];
            return find(program) is null
                ? new TransportProblem("Transports", $"Transports = {transport}={command}: {program} is no program that can be run")
                : null;
        }

        var (_, programs, package) = Array.Find(Known, row => row.Transport == transport);
        string where = ManagedBridges.PlaceOf(bridge, options), name = $"Transports = {transport}=/path/to/program";
        if (programs is null)
        {
            return new TransportProblem(
                "Bridges", $"{where} has the transport {transport}, of which nothing is known: name its program by {name}");
        }

        command = programs.Select(find).FirstOrDefault(static path => path is not null);
        string install = package.Length > 0 ? $"install Debian's package {package}, or " : "";
        return command is not null ? null : new TransportProblem(
            "Bridges",
            $"{where} has the transport {transport}, and none of the programs for it is in PATH ({string.Join(", ", programs)}): "
                + $"{install}name one by {name}");
    }
}

/// <summary>A program of a transport that is missing.</summary>
/// <param name="Key">The key of [ManagedWorkers] that is to blame.</param>
/// <param name="Message">Begins with that key, and names the bridge's file and line.</param>
internal sealed record TransportProblem(string Key, string Message);
