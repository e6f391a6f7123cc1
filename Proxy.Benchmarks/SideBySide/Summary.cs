using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;
using TorBalancer.Benchmarks.SideBySide.Scenarios;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>The one table of a run: everybody's cost in the loads that decide, and below it our figures against the goals.</summary>
internal static class Summary
{
    private const string HaProxy = "haproxy", Splice = "haproxy-splice", V2Ray = "v2ray";
    private const double BusyEnough = 0.9;

    public static string? Of(IReadOnlyList<ForwarderSpec> specs, List<Comparison> all, FairnessScenario? fairness)
    {
        all = all.FindAll(static comparison => comparison.Cell.Request is null);
        if (all.Count == 0)
            return null;
        var connections = Pick(all, LoadKind.Connections, ClientProtocol.Socks5);
        var connect = Pick(all, LoadKind.Connections, ClientProtocol.Connect);
        var cold = Pick(all, LoadKind.Connections, ClientProtocol.Socks5, isCold: true);
        var coldConnect = Pick(all, LoadKind.Connections, ClientProtocol.Connect, isCold: true);
        var down = Pick(all, LoadKind.Down, ClientProtocol.Socks5);
        var up = Pick(all, LoadKind.Up, ClientProtocol.Socks5);
        var trips = Pick(all, LoadKind.RoundTrips, ClientProtocol.Socks5);

        var table = new MarkdownTable(
            "Forwarder", "µs per connection", "the same, CONNECT", "cold", "cold, CONNECT", "s per GB down", "s per GB up",
            "GB/s down", "GB/s up", "µs per round trip", "ping p99 µs beside bulk");
        foreach (var spec in specs.Where(static spec => spec.Tunnels))
        {
            table.Add(
                spec.Name, Figure(CostOf(connections)), spec.SpeaksConnect ? Figure(CostOf(connect)) : "–",
                Figure(CostOf(cold)), spec.SpeaksConnect ? Figure(CostOf(coldConnect)) : "–", Figure(CostOf(down)),
                Figure(CostOf(up)), Figure(RateOf(down)), Figure(RateOf(up)),
                Figure(CostOf(trips)), MarkdownTable.Number(fairness?.P99(spec.Name)));

            string Figure(Func<string, double>? figure) => MarkdownTable.Number(figure?.Invoke(spec.Name));
        }

        var goals = new MarkdownTable(["Goal", "Limit", .. specs.Where(static spec => spec.IsOurs).Select(static spec => spec.Name)]);
        Goal("CPU per connection, × haproxy", 0.95, CostRatioOf(connections), HaProxy);
        Goal("CPU per connection, × v2ray", 0.45, CostRatioOf(connections), V2Ray);
        Goal("CPU per CONNECT connection, × haproxy", 0.95, CostRatioOf(connect), HaProxy);
        Goal("CPU per connection of a new process, × haproxy", 0.95, CostRatioOf(cold), HaProxy);
        Goal("CPU per CONNECT connection of a new process, × haproxy", 0.95, CostRatioOf(coldConnect), HaProxy);
        Goal("CPU per GB down, × haproxy-splice", 0.75, CostRatioOf(down), Splice);
        Goal("CPU per GB up, × haproxy-splice", 0.75, CostRatioOf(up), Splice);
        Goal("GB/s down on one core, × haproxy-splice (at least)", 1.2, RatioOf(RateOf(down)), Splice, atLeast: true);
        Goal("GB/s up on one core, × haproxy-splice (at least)", 1.2, RatioOf(RateOf(up)), Splice, atLeast: true);
        Goal("CPU per round trip, × haproxy", 1.0, CostRatioOf(trips), HaProxy);
        if (all.Find(static comparison => comparison.Cell is { Kind: LoadKind.RoundTrips, Connections: 1 }) is { } alone)
        {
            double direct = alone.P50(Comparison.Direct);
            Goal(
                "median latency that is added to one tunnel's round trip, × haproxy", 1.0, RatioOf(name => alone.P50(name) - direct),
                HaProxy);
        }

        Goal("ping p99 beside bulk, × haproxy", 3.0, RatioOf(fairness is null ? null : fairness.P99), HaProxy);
        return $"### All in one\n\nWith 64 connections (bulk: 8) at a time, or what comes closest. GB/s is for a core that is busy all "
            + $"the time.\n\n{table}\n### Against the goals\n\n{goals}";

        void Goal(string what, double limit, Func<string, string, double?>? ratioOf, string other, bool atLeast = false)
        {
            if (ratioOf is null)
                return;
            var cells = specs.Where(static spec => spec.IsOurs).Select(spec => ratioOf(spec.Name, other) is { } ratio
                ? $"{MarkdownTable.Number(ratio)} {((atLeast ? ratio >= limit : ratio <= limit) ? "✓" : "✗")}"
                : "–");
            goals.Add([what, MarkdownTable.Number(limit), .. cells]);
        }
    }

    private static Func<string, string, double?>? CostRatioOf(Comparison? comparison) => comparison is null ? null : comparison.CostRatio;

    private static Func<string, string, double?>? RatioOf(Func<string, double>? figure) =>
        figure is null ? null : (name, other) => Comparison.Ratio(figure, name, other);

    private static Func<string, double>? CostOf(Comparison? comparison) => comparison is null ? null : comparison.Cost;

    /// <summary>What was carried in a second; for all by their cost when the load did not keep everyone busy.</summary>
    private static Func<string, double>? RateOf(Comparison? comparison) =>
        comparison is null
            ? null
            : comparison.Names.All(name => name == Comparison.Direct || comparison.Busy(name) > BusyEnough)
                ? comparison.Rate
                : comparison.Capacity;

    private static Comparison? Pick(List<Comparison> all, LoadKind kind, ClientProtocol client, bool isCold = false)
    {
        int best = kind is LoadKind.Down or LoadKind.Up ? 8 : 64;
        return all.Where(comparison => comparison.Cell.Kind == kind && comparison.Cell.Client == client && comparison.Cell.IsCold == isCold)
            .MinBy(comparison => Math.Abs(comparison.Cell.Connections - best));
    }
}
