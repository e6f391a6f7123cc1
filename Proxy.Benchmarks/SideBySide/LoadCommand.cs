using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>
/// <c>load KIND --port N [--connections N] [--window S] [--pid N] [--connect] [--sendfile]</c>: one load by hand on whatever
/// listens there. KIND is connections, roundtrips, down or up; --pid is the process whose processor time is wanted.
/// </summary>
internal static class LoadCommand
{
    public static void Run(string[] args)
    {
        var kind = Enum.Parse<LoadKind>(args[0], ignoreCase: true);
        int target = kind switch { LoadKind.Down => StubPorts.Source, LoadKind.Up => StubPorts.Sink, _ => StubPorts.Echo };
        var script = args.Contains("--connect") ? HandshakeScript.HttpConnect(target) : HandshakeScript.Socks5(target);
        var plan = new LoadPlan(
            kind, Number("--port", 1080), Number("--connections", 64), script, 0.5, Number("--window", 2), Number("--pid", 0),
            Number("--stub", 0));
        using var load = new LoadGenerator(plan with { SendFile = args.Contains("--sendfile") });
        Console.WriteLine(load.Run());

        int Number(string name, int otherwise) => int.TryParse(StubCommand.After(args, name), out int value) ? value : otherwise;
    }
}
