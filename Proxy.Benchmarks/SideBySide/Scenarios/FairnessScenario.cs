using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>
/// How long a small message waits behind big ones: eight bulk streams at full speed, and 64-byte pings on a tunnel of their own.
/// The pings' threads, in load generator and stub worker, go before the bulk data's, so what is measured is the forwarder.
/// </summary>
internal sealed class FairnessScenario
{
    private const int Streams = 8, Chunk = 64 * 1024;

    private readonly Dictionary<string, List<(LoadResult Pings, LoadResult Bulk)>> _results = [];

    public static FairnessScenario Run(Bench bench)
    {
        var scenario = new FairnessScenario();
        RunningForwarder?[] all = [null, .. bench.Running];
        foreach (var forwarder in all)
            scenario._results.Add(Comparison.NameOf(forwarder), []);
        for (int round = 0; round < bench.Options.Rounds; round++)
        {
            Random.Shared.Shuffle(all);
            foreach (var forwarder in all)
            {
                scenario._results[Comparison.NameOf(forwarder)].Add(RunOne(bench, forwarder));
                bench.Settle(forwarder);
            }
        }

        return scenario;
    }

    public double P99(string name) => Median(name, static result => result.Pings.P99);

    public override string ToString()
    {
        var table = new MarkdownTable(
            "Forwarder", "ping p50 µs", "ping p99 µs", "p99 × haproxy", "p99 × haproxy-splice", "bulk GB/s", "busy");
        foreach (string name in _results.Keys)
        {
            table.Add(
                name, MarkdownTable.Number(Median(name, static result => result.Pings.P50)), MarkdownTable.Number(P99(name)),
                MarkdownTable.Number(Comparison.Ratio(P99, name, "haproxy")),
                MarkdownTable.Number(Comparison.Ratio(P99, name, "haproxy-splice")),
                MarkdownTable.Number(Median(name, static result => result.Bulk.Bytes / 1e9 / result.Bulk.Seconds)),
                MarkdownTable.Percent(Median(name, static result => result.Bulk.Cpu / result.Bulk.Seconds)));
        }

        return $"### Fairness: pings of 64 bytes beside {Streams} bulk streams\n\n{table}";
    }

    private double Median(string name, Func<(LoadResult Pings, LoadResult Bulk), double> figure) =>
        MarkdownTable.Median(_results.GetValueOrDefault(name, []).Select(figure));

    private static (LoadResult Pings, LoadResult Bulk) RunOne(Bench bench, RunningForwarder? forwarder)
    {
        var bulk = bench.Plan(forwarder, new Cell("fairness", LoadKind.Down, ClientProtocol.Socks5, Streams), bench.Options.Window * 2) with
        {
            Chunk = Chunk,
        };
        var pings = bench.Plan(
            forwarder, new Cell("fairness", LoadKind.RoundTrips, ClientProtocol.Socks5, 1), bench.Options.Window * 2,
            StubPorts.PreferredEcho) with
        {
            Preferred = true,
        };
        using var bulkLoad = new LoadGenerator(bulk);
        using var pingLoad = new LoadGenerator(pings);

        // Both are there before either is counted.
        bulkLoad.Establish(Streams);
        pingLoad.Establish(1);
        LoadResult? bulkResult = null;
        var thread = new Thread(() => bulkResult = bulkLoad.Run());
        thread.Start();
        LoadResult? pingResult = null;
        var pingThread = new Thread(() => pingResult = pingLoad.Run());
        pingThread.Start();
        pingThread.Join();
        thread.Join();
        return (pingResult!, bulkResult!);
    }
}
