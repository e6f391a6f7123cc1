using TorBalancer.Server.Naming;

namespace TorBalancer.Admin.Metrics;

/// <summary>What the name server is asked and how it comes to its answers.</summary>
internal static class DnsMetrics
{
    public static IEnumerable<MetricFamily> All()
    {
        yield return MetricFamily.Counter(
            "dns.queries", "{query}", "Questions to the name server, by type and by what became of them", ["type", "answer"],
            static (reading, sink) =>
            {
                foreach (var kind in DnsCounters.Kinds)
                {
                    foreach (var outcome in DnsCounters.Outcomes)
                        sink.Add(reading.Parts.Names.Queries(kind, outcome), DnsCounters.Word(kind), DnsCounters.Word(outcome));
                }
            });
        yield return MetricFamily.Counter(
            "dns.lookups", "{lookup}",
            "Answers that workers give, by where each came from: kept from before, shared with a question on its way, or a worker",
            ["source"],
            static (reading, sink) =>
            {
                foreach (var source in DnsCounters.Sources)
                    sink.Add(reading.Parts.Names.Lookups(source), DnsCounters.Word(source));
            });
        yield return MetricFamily.Gauge(
            "dns.cached", "{answer}", "Answers and questions that the name server holds", [],
            static (reading, sink) => sink.Add(reading.Parts.Resolver.CacheCount));
        yield return MetricFamily.Gauge(
            "dns.virtual_addresses", "{name}", "Names that virtual addresses stand for", [],
            static (reading, sink) => sink.Add(reading.Parts.Resolver.VirtualCount));
    }
}
