using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Measuring;
using TorBalancer.Benchmarks.SideBySide.Scenarios;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>What requests in absolute form cost everybody, and our figures against the goals.</summary>
internal static class RequestSummary
{
    private const double Small = 1024;

    public static string? Of(IReadOnlyList<ForwarderSpec> specs, List<Comparison> all)
    {
        var requests = all.Where(static comparison => comparison.Cell.Request is not null).ToList();
        if (requests.Count == 0)
            return null;
        var table = new MarkdownTable(["CPU µs per request", .. requests.Select(static comparison => $"{comparison.Cell.Request}")]);
        foreach (string name in requests.SelectMany(static comparison => comparison.Names).Distinct())
        {
            if (name != Comparison.Direct)
                table.Add([name, .. requests.Select(comparison => MarkdownTable.Number(comparison.Cost(name)))]);
        }

        var ours = specs.Where(static spec => spec.IsOurs).ToList();
        var goals = new MarkdownTable(["Goal", "Limit", .. ours.Select(static spec => spec.Name)]);
        foreach (var comparison in requests)
        {
            var shape = comparison.Cell.Request!;
            if (!shape.KeepAlive)
                Goal(comparison, HttpPeers.PrivoxyName, 0.4);
            else if (shape.Bytes < Small)
                Goal(comparison, HttpPeers.PrivoxyName, 0.5);
            if (shape.KeepAlive && shape.Bytes < Small)
                Goal(comparison, HttpPeers.HaProxyName, 1.2);
            if (shape.Bytes >= Small)
                Goal(comparison, null, 1.1);
        }

        return $"### Requests in absolute form, all in one\n\n{table}\n### Against the goals\n\n{goals}";

        void Goal(Comparison comparison, string? other, double limit)
        {
            var cells = ours.Select(spec => comparison.CostRatio(spec.Name, other ?? Comparison.TunnelOf(spec.Name)) is { } ratio
                ? $"{MarkdownTable.Number(ratio)} {(ratio <= limit ? "✓" : "✗")}"
                : "–");
            goals.Add([$"{comparison.Cell.Request}, × {other ?? "its own tunnel"}", MarkdownTable.Number(limit), .. cells]);
        }
    }
}
