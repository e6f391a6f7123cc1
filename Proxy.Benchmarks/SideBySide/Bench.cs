using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;
using TorBalancer.Benchmarks.SideBySide.Scenarios;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>What all scenarios share: the stub worker, the forwarders, a directory, and how a load is put on one of them.</summary>
internal sealed class Bench : IDisposable
{
    private const int StubPorts = 4;

    private const int WarmUpSteps = 5;

    // Seconds, and the share of a core below which it counts as quiet.
    private const double MostToSettle = 8, Quiet = 0.02;

    private static readonly TimeSpan SettleStep = TimeSpan.FromMilliseconds(50);

    private readonly string _directory = Directory.CreateTempSubdirectory("torbalancer-bench-").FullName;
    private readonly ChildProcess _stub;
    private readonly List<RunningForwarder> _running = [];

    public Bench(RunOptions options, IReadOnlyList<ForwarderSpec> specs)
    {
        Options = options;
        Specs = specs;
        _stub = ChildProcess.Start(
            $"{Environment.ProcessPath} stub --ports "
                + $"{StubPorts}{(options.SendFile ? " --sendfile" : "")}{(options.Coalesce ? " --coalesce" : "")}",
            null);
        int[] ports =
        [
            .. (_stub.Output.ReadLine() ?? throw new InvalidOperationException("the stub worker did not start"))
                .Split(' ')
                .Select(int.Parse),
        ];
        Workers = ports[..StubPorts];
        OriginPort = ports[StubPorts];
    }

    public RunOptions Options { get; }

    public IReadOnlyList<ForwarderSpec> Specs { get; }

    public int[] Workers { get; }

    /// <summary>Where the stub worker is an HTTP origin, without SOCKS.</summary>
    public int OriginPort { get; }

    public IReadOnlyList<RunningForwarder> Running => _running;

    /// <summary>A fresh one, to be disposed by the caller.</summary>
    public RunningForwarder Start(ForwarderSpec spec) =>
        RunningForwarder.Start(spec, Directory.CreateDirectory(Path.Combine(_directory, spec.Name)).FullName, Workers, OriginPort,
            Options.Core);

    /// <summary>Starts those that tunnel, and lets each do some of everything, so that nobody is measured cold.</summary>
    public void StartAll()
    {
        foreach (var spec in Specs.Where(spec => spec.Tunnels && _running.All(running => running.Spec != spec)))
        {
            var forwarder = Start(spec);
            _running.Add(forwarder);
            foreach (var kind in (ReadOnlySpan<LoadKind>)[LoadKind.Connections, LoadKind.Down, LoadKind.Up, LoadKind.RoundTrips])
                WarmUp(forwarder, kind);
            if (spec.SpeaksConnect)
                WarmUp(forwarder, LoadKind.Connections, ClientProtocol.Connect);
        }
    }

    /// <summary>As <see cref="StartAll"/> those that take HTTP requests.</summary>
    public void StartAll(IReadOnlyList<Cell> requests)
    {
        foreach (var spec in Specs.Where(static spec => spec.SpeaksHttp))
        {
            var forwarder = Start(spec);
            _running.Add(forwarder);
            foreach (var cell in requests)
                WarmUp(forwarder, cell);
            if (spec.IsOurs)
                WarmUp(forwarder, requests[^1] with { Client = ClientProtocol.Connect });
        }
    }

    public void WarmUp(RunningForwarder forwarder, LoadKind kind, ClientProtocol client = ClientProtocol.Socks5) =>
        WarmUp(forwarder, new Cell("warm-up", kind, client, 64));

    /// <summary>Lets it do one thing for as long as its code takes to settle.</summary>
    private void WarmUp(RunningForwarder forwarder, Cell cell)
    {
        // Code that is compiled while it runs is measured when the compiler has done with it. That takes half a minute beside a
        // loop that is busy all the time, but is soon done in a pause; and each step of it has to be called before the next.
        bool isShort = cell.Kind == LoadKind.Connections || cell.Request is { Bytes: < 1024 };
        int steps = forwarder.Spec.IsOurs && isShort ? WarmUpSteps : 1;
        for (int i = 0; i < steps; i++)
        {
            Put(forwarder, cell, Options.Quick ? 1 : 2);
            Settle(forwarder);
        }
    }

    /// <summary>
    /// Waits until nobody works any more. What one forwarder still does when its load has ended (v2ray goes on for seconds) would
    /// be taken from the core and the caches of the next, and is to be counted as its own.
    /// </summary>
    /// <param name="loaded">The one that had the load; it need not be among those that run side by side.</param>
    /// <returns>Seconds of processor time that it took meanwhile.</returns>
    public double Settle(RunningForwarder? loaded)
    {
        double before = loaded is null ? 0 : ProcessFacts.CpuSeconds(loaded.Id);
        double end = ProcessFacts.Now() + MostToSettle;
        double used, now;
        do
        {
            (used, now) = (Used(), ProcessFacts.Now());
            Task.Delay(SettleStep).Wait();
        }
        while (Used() - used > Quiet * (ProcessFacts.Now() - now) && now < end);

        return loaded is null ? 0 : ProcessFacts.CpuSeconds(loaded.Id) - before;

        double Used() =>
            _running.Append(loaded).Distinct().Sum(static forwarder => forwarder is null ? 0 : ProcessFacts.CpuSeconds(forwarder.Id));
    }

    public void StopAll()
    {
        foreach (var forwarder in _running)
            forwarder.Dispose();
        _running.Clear();
    }

    /// <summary>One load on a forwarder, or on the stub worker itself when it is null.</summary>
    /// <param name="forwarder">It, or null.</param>
    /// <param name="cell">The load.</param>
    /// <param name="window">Seconds that are counted, if not those of the options.</param>
    /// <param name="isCold">Whether it is counted from the first connection on.</param>
    public LoadResult Put(RunningForwarder? forwarder, Cell cell, double? window = null, bool isCold = false)
    {
        var plan = Plan(forwarder, cell, window ?? Options.Window);
        using var load = new LoadGenerator(isCold ? plan with { Warmup = 0 } : plan);
        return load.Run();
    }

    public LoadPlan Plan(RunningForwarder? forwarder, Cell cell, double window, int? targetPort = null)
    {
        int target = targetPort ?? cell.Kind switch
        {
            LoadKind.Down => Load.StubPorts.Source,
            LoadKind.Up => Load.StubPorts.Sink,
            LoadKind.Requests => Load.StubPorts.Origin,
            _ => Load.StubPorts.Echo,
        };
        if (cell.Client == ClientProtocol.Transparent)
        {
            return new LoadPlan(
                cell.Kind, target, cell.Connections, HandshakeScript.None, Options.Warmup, window, forwarder?.Id ?? 0, _stub.Id)
            {
                Address = TransparentScenario.Target,
                SendFile = Options.SendFile,
            };
        }

        var direct = cell.Request is null ? HandshakeScript.Socks5(target) : HandshakeScript.None;
        return new LoadPlan(
            cell.Kind, forwarder?.PortFor(cell.Client) ?? (cell.Request is null ? Workers[0] : OriginPort), cell.Connections,
            forwarder?.Script(cell.Client, target) ?? direct,
            Options.Warmup, window, forwarder?.Id ?? 0, _stub.Id)
        {
            SendFile = Options.SendFile,
            Request = cell.Request,
            KeepsAlive = cell.Request is { KeepAlive: true } && forwarder?.Spec.KeepsAlive != false,
        };
    }

    public void Dispose()
    {
        StopAll();
        _stub.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}

/// <summary>One way of loading, the same for all forwarders.</summary>
internal sealed record Cell(string Scenario, LoadKind Kind, ClientProtocol Client, int Connections)
{
    /// <summary>Whether each round is a process of its own, counted from when it listens.</summary>
    public bool IsCold => Scenario == "cold";

    /// <summary>For <see cref="LoadKind.Requests"/>.</summary>
    public RequestShape? Request { get; init; }

    public string Title => Kind switch
    {
        LoadKind.Connections when Scenario == TransparentScenario.Name => $"Transparent: connections, {Connections:N0} at a time",
        LoadKind.Connections =>
            $"Connections, {(Client == ClientProtocol.Connect ? "HTTP CONNECT" : "SOCKS5")} clients, {Connections:N0} at a time"
                + (IsCold ? $", the first {Comparison.ColdSeconds} seconds of a process" : ""),
        LoadKind.RoundTrips => $"64-byte round trips, {Connections:N0} tunnels",
        LoadKind.Down or LoadKind.Up when Scenario == TransparentScenario.Name =>
            $"Transparent: bulk {(Kind == LoadKind.Down ? "down" : "up")}, {Connections:N0} tunnels",
        LoadKind.Requests => $"Requests: {Request}, {Connections:N0} clients",
        LoadKind.Down => $"Bulk down, {Connections:N0} tunnels",
        _ => $"Bulk up, {Connections:N0} tunnels",
    };
}
