using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>
/// <c>load KIND --port N [--connections N] [--window S] [--pid N] [--connect] [--sendfile]</c>: one load by hand on whatever
/// listens there. KIND is connections, roundtrips, down, up or requests; --pid is the process whose processor time is wanted.
/// Requests are of <c>[--bytes N] [--put] [--new]</c> (270 bytes, GET, kept connections), in absolute form unless --connect leads through
/// a tunnel.
/// </summary>
internal static class LoadCommand
{
    public static void Run(string[] args)
    {
        var kind = Enum.Parse<LoadKind>(args[0], ignoreCase: true);
        int target = kind switch
        {
            LoadKind.Down => StubPorts.Source,
            LoadKind.Up => StubPorts.Sink,
            LoadKind.Requests => StubPorts.Origin,
            _ => StubPorts.Echo,
        };
        var script = args.Contains("--connect") ? HandshakeScript.HttpConnect(target)
            : kind == LoadKind.Requests ? HandshakeScript.None
            : HandshakeScript.Socks5(target);
        var plan = new LoadPlan(
            kind, Number("--port", 1080), Number("--connections", 64), script, 0.5, Number("--window", 2), Number("--pid", 0),
            Number("--stub", 0))
        {
            Request = kind == LoadKind.Requests
                ? new RequestShape(args.Contains("--put"), Number("--bytes", 270), KeepAlive: !args.Contains("--new"))
                : null,
            KeepsAlive = !args.Contains("--new"),
        };
        using var load = new LoadGenerator(plan with { SendFile = args.Contains("--sendfile") });
        Console.WriteLine(load.Run());

        int Number(string name, int otherwise) => int.TryParse(StubCommand.After(args, name), out int value) ? value : otherwise;
    }
}
