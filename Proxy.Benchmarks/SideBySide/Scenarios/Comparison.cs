using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>All rounds of one cell. Every figure is the median of the rounds.</summary>
internal sealed class Comparison(Cell cell)
{
    public const string Direct = "(no forwarder)";

    /// <summary>How long a process is new: what is compiled or read when it is first used is in it.</summary>
    public const int ColdSeconds = 3;

    private readonly Dictionary<string, List<LoadResult?>> _results = [];
    private readonly Dictionary<string, string> _failures = [];

    public Cell Cell { get; } = cell;

    public IEnumerable<string> Names => _results.Keys;

    public IEnumerable<LoadResult> Of(string name) => _results.GetValueOrDefault(name, []).OfType<LoadResult>();

    public static string NameOf(RunningForwarder? forwarder) => forwarder?.Spec.Name ?? Direct;

    /// <summary>Puts the load on one after the other, in another order each round.</summary>
    public static Comparison Run(Bench bench, Cell cell)
    {
        var comparison = new Comparison(cell);
        RunningForwarder?[] all =
        [
            null,
            .. bench.Running.Where(forwarder => Takes(forwarder.Spec, cell.Client)),
        ];
        foreach (var forwarder in all)
            comparison._results.Add(NameOf(forwarder), []);
        for (int round = 0; round < bench.Options.Rounds; round++)
        {
            // Not only another first one: nobody shall have the same one before it each time.
            Random.Shared.Shuffle(all);
            foreach (var forwarder in all)
                comparison.RunOne(bench, forwarder);
        }

        return comparison;
    }

    /// <summary>The same with a new process in each round, counted from its first client on.</summary>
    public static Comparison RunCold(Bench bench, Cell cell)
    {
        var comparison = new Comparison(cell);
        ForwarderSpec[] all = [.. bench.Specs.Where(spec => Takes(spec, cell.Client))];
        foreach (var spec in all)
            comparison._results.Add(spec.Name, []);
        for (int round = 0; round < bench.Options.Rounds; round++)
        {
            Random.Shared.Shuffle(all);
            foreach (var spec in all)
            {
                using var forwarder = bench.Start(spec);
                comparison.RunOne(bench, forwarder);
            }
        }

        return comparison;
    }

    /// <summary>
    /// The same for HTTP requests. Our own tunnel does the least that can be done for a body: requests through it are what those in
    /// absolute form may cost, so it has rows of its own.
    /// </summary>
    public static Comparison RunRequests(Bench bench, Cell cell)
    {
        var comparison = new Comparison(cell);
        (string Name, RunningForwarder? Forwarder, Cell Cell)[] all = [(Direct, null, cell), .. RequestRows(bench, cell)];
        foreach (var row in all)
            comparison._results.Add(row.Name, []);
        for (int round = 0; round < bench.Options.Rounds; round++)
        {
            Random.Shared.Shuffle(all);
            foreach (var row in all)
                comparison.RunOne(bench, row.Forwarder, row.Name, row.Cell);
        }

        return comparison;
    }

    /// <summary>One of ours with clients that know it, by each protocol, and with those that do not.</summary>
    public static Comparison RunTransparent(Bench bench, RunningForwarder forwarder, Cell cell)
    {
        var comparison = new Comparison(cell);
        (string Name, Cell Cell)[] all =
        [
            .. ((ClientProtocol[])[ClientProtocol.Connect, ClientProtocol.Socks5, ClientProtocol.Transparent])
                .Select(client => (RowOf(client), cell with { Client = client })),
        ];
        foreach (var row in all)
            comparison._results.Add(row.Name, []);
        for (int round = 0; round < bench.Options.Rounds; round++)
        {
            Random.Shared.Shuffle(all);
            foreach (var row in all)
                comparison.RunOne(bench, forwarder, row.Name, row.Cell);
        }

        return comparison;
    }

    public static string TunnelOf(string name) => $"{name}, tunnel";

    /// <summary>Processor time of one operation in µs, or of one GB (10⁹ bytes) in s.</summary>
    public double Cost(string name) => Median(name, CostOf);

    /// <summary>
    /// The median of what each round's costs were in proportion: a machine whose neighbours come and go is slow for all
    /// forwarders of a round, and fast for all of another. Null when either is missing.
    /// </summary>
    public double? CostRatio(string name, string other)
    {
        var pairs = _results.GetValueOrDefault(name, []).Zip(_results.GetValueOrDefault(other, []));
        double ratio = MarkdownTable.Median(
            pairs.Where(static pair => pair is (not null, not null)).Select(pair => CostOf(pair.First!) / CostOf(pair.Second!)));
        return double.IsFinite(ratio) ? ratio : null;
    }

    /// <summary>Operations or GB in a second.</summary>
    public double Rate(string name) => Median(name, result => (IsBulk ? result.Bytes / 1e9 : result.Operations) / result.Seconds);

    /// <summary>What its core would do if the load kept it busy all the time, by what an operation costs.</summary>
    public double Capacity(string name) => (IsBulk ? 1 : 1e6) / Cost(name);

    /// <summary>The share of the window (0 to 1) in which its core worked for it.</summary>
    public double Busy(string name) => Median(name, static result => result.Cpu / result.Seconds);

    public double P50(string name) => Median(name, static result => result.P50);

    public double P99(string name) => Median(name, static result => result.P99);

    /// <summary>This figure of one in proportion to that of another; null when either is missing.</summary>
    public static double? Ratio(Func<string, double> figure, string name, string other)
    {
        double ratio = figure(name) / figure(other);
        return double.IsFinite(ratio) ? ratio : null;
    }

    public override string ToString()
    {
        string unit = IsBulk ? "s/GB" : "µs each";
        string[] headers =
        [
            "Forwarder", $"CPU {unit}", .. HasBodies ? (string[])["s/GB"] : [], .. Others.Select(static other => $"× {other}"),
            IsBulk ? "GB/s" : "per s", "by a whole core", .. IsBulk ? (string[])[] : ["p50 µs", "p99 µs"], "busy", "load busy", "failed",
        ];
        var table = new MarkdownTable(headers);
        foreach (string name in _results.Keys)
        {
            bool direct = name == Direct;
            table.Add([
                name, direct ? "–" : MarkdownTable.Number(Cost(name)),
                .. HasBodies ? (string[])[direct ? "–" : MarkdownTable.Number(Cost(name) * 1e3 / Cell.Request!.Bytes)] : [],
                .. Others.Select(other => direct ? "–" : MarkdownTable.Number(CostRatio(name, other))),
                MarkdownTable.Number(Rate(name)), direct ? "–" : MarkdownTable.Number(Capacity(name)),
                .. IsBulk ? (string[])[] : [MarkdownTable.Number(P50(name)), MarkdownTable.Number(P99(name))],
                direct ? "–" : MarkdownTable.Percent(Busy(name)),
                MarkdownTable.Percent(Median(name, static result => result.LoadCpu / result.Seconds)),
                _failures.TryGetValue(name, out string? failure)
                    ? failure
                    : MarkdownTable.Number(Of(name).Sum(static result => result.Failures)).Replace(".000", "", StringComparison.Ordinal),
            ]);
        }

        return $"### {Cell.Title}\n\n{table}";
    }

    /// <summary>What passes through whatever it is given is measured with SOCKS5 beside those that speak CONNECT.</summary>
    private static bool Takes(ForwarderSpec spec, ClientProtocol client) =>
        spec.Tunnels && (client == ClientProtocol.Socks5 || spec.SpeaksConnect || spec.Name == "haproxy");

    private bool IsBulk => Cell.Kind is LoadKind.Down or LoadKind.Up;

    private bool HasBodies => Cell.Request is { Bytes: >= 1024 };

    /// <summary>In proportion to whom costs are shown.</summary>
    private string[] Others => Cell.Scenario == TransparentScenario.Name ? [RowOf(ClientProtocol.Connect)]
        : Cell.Request is null
        ? ["haproxy", "haproxy-splice", "v2ray"]
        : [HttpPeers.HaProxyName, HttpPeers.PrivoxyName, HttpPeers.TinyproxyName, .. _results.Keys.Where(IsTunnel)];

    private static string RowOf(ClientProtocol client) => client switch
    {
        ClientProtocol.Connect => "HTTP CONNECT",
        ClientProtocol.Transparent => "transparent",
        _ => "SOCKS5",
    };

    private static bool IsTunnel(string name) => name == TunnelOf(TorBalancers.Name);

    private static IEnumerable<(string Name, RunningForwarder? Forwarder, Cell Cell)> RequestRows(Bench bench, Cell cell)
    {
        foreach (var forwarder in bench.Running)
        {
            var spec = forwarder.Spec;
            yield return (spec.Name, forwarder, cell);
            if (spec.IsOurs && cell.Request!.KeepAlive && !spec.Name.EndsWith("-nolog", StringComparison.Ordinal))
                yield return (TunnelOf(spec.Name), forwarder, cell with { Client = ClientProtocol.Connect });
        }
    }

    private double CostOf(LoadResult result) => IsBulk ? result.WholeCpu / (result.Bytes / 1e9) : result.WholeCpu / result.Operations * 1e6;

    private double Median(string name, Func<LoadResult, double> figure) => MarkdownTable.Median(Of(name).Select(figure));

    private void RunOne(Bench bench, RunningForwarder? forwarder, string? row = null, Cell? rowCell = null)
    {
        string name = row ?? NameOf(forwarder);
        LoadResult? result = null;
        try
        {
            var cell = rowCell
                ?? (forwarder is { Spec.SpeaksConnect: false } or null ? Cell with { Client = ClientProtocol.Socks5 } : Cell);
            result = Cell.IsCold ? bench.Put(forwarder, cell, ColdSeconds, isCold: true) : bench.Put(forwarder, cell);
        }
        catch (Exception failure) when (failure is IOException or TimeoutException)
        {
            _failures[name] = failure.Message;
        }

        // After a failure too: the next one must not bear what it left behind.
        double afterwards = bench.Settle(forwarder);
        _results[name].Add(result is null ? null : result with { CpuAfterwards = afterwards });
    }
}
