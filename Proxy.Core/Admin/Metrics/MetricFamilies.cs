namespace TorBalancer.Admin.Metrics;

/// <summary>
/// Every metric there is. The text of /metrics, the instruments and the table in docs/metrics.md come from here. Names and labels are
/// contract.
/// </summary>
internal static class MetricFamilies
{
    public static IReadOnlyList<MetricFamily> All { get; } =
    [
        .. TrafficMetrics.Listeners(), .. LimitMetrics.All(), .. DnsMetrics.All(), .. TrafficMetrics.Connecting(), .. WorkerMetrics.All(),
        .. TorMetrics.All(), .. DaemonMetrics.All(),
    ];
}
