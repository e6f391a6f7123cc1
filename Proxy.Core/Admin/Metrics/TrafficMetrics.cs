using TorBalancer.Balancing;
using TorBalancer.Protocols;
using TorBalancer.Server;
using TorBalancer.Transport;

namespace TorBalancer.Admin.Metrics;

/// <summary>What clients ask for and what becomes of it.</summary>
internal static class TrafficMetrics
{
    private static readonly ClientProtocol[] Protocols = Enum.GetValues<ClientProtocol>();

    public static IEnumerable<MetricFamily> Listeners()
    {
        yield return MetricFamily.Counter(
            "listener.connections", "{connection}", "Clients that were let in", ["listener"],
            static (reading, sink) => EachListener(reading, (name, counters) => sink.Add(counters.Accepted, name)));
        yield return MetricFamily.Counter(
            "listener.refused", "{connection}",
            "Clients that were turned away when they came: by AllowFrom or DenyFrom, by MaxConnections, by a wrong PROXY protocol header",
            ["listener", "reason"],
            static (reading, sink) => EachListener(reading, (name, counters) =>
            {
                sink.Add(counters.NotAllowed, name, "not_allowed");
                sink.Add(counters.Full, name, "full");
                sink.Add(counters.BadHeaders, name, "proxy_header");
            }));
        yield return MetricFamily.Gauge(
            "listener.active_connections", "{connection}", "Clients that are connected, by what they speak (unknown: nothing yet)",
            ["listener", "protocol"],
            static (reading, sink) => EachListener(reading, (name, _) =>
            {
                foreach (var protocol in Protocols)
                    sink.Add(reading.Active(name, protocol), name, protocol.Word());
            }));
        yield return MetricFamily.Counter(
            "requests", "{request}",
            "Streams and answers that clients asked for, by what became of them: one for each line of the access log",
            ["listener", "protocol", "cause"],
            static (reading, sink) => EachListener(reading, (name, counters) =>
            {
                foreach (var protocol in Protocols)
                    sink.AddCauses(counters.Requests(protocol), name, protocol.Word());
            }));
        yield return MetricFamily.Counter(
            "tunnels.ended", "{tunnel}", "Tunnels that ended, by how", ["listener", "end"],
            static (reading, sink) => EachListener(reading, (name, counters) =>
            {
                foreach (var end in Enum.GetValues<TunnelEnd>())
                    sink.Add(counters.Ended(end), name, AccessLog.Word(end));
            }));
    }

    public static IEnumerable<MetricFamily> Connecting()
    {
        yield return MetricFamily.Counter(
            "connects", "{connect}", "Connects over all attempts, by how the worker was chosen and what came of it", ["mode", "cause"],
            static (reading, sink) =>
            {
                foreach (string mode in SelectionPolicyNames.All)
                    sink.AddCauses(reading.Parts.Streams.Counters.OfMode(mode), mode);
            });
        yield return MetricFamily.Counter(
            "retries", "{attempt}", "Further workers that were asked because one had failed", [],
            static (reading, sink) => sink.Add(reading.Parts.Streams.Counters.Retries));
        yield return MetricFamily.Counter(
            "retries.refused", "{attempt}", "Times that no further worker was asked because RetryBudget was used up", [],
            static (reading, sink) => sink.Add(reading.Parts.Streams.Counters.RefusedRetries));
        yield return MetricFamily.Counter(
            "hedges", "{attempt}", "Second workers that were asked because the first was slow", [],
            static (reading, sink) => sink.Add(reading.Parts.Streams.Counters.Hedges));
        yield return MetricFamily.Counter(
            "hedges.won", "{attempt}", "Second workers that answered first", [],
            static (reading, sink) => sink.Add(reading.Parts.Streams.Counters.WonHedges));
        yield return MetricFamily.Gauge(
            "sessions", "{session}", "Sessions that are known", [], static (reading, sink) => sink.Add(reading.Parts.Sessions.Count));
    }

    private static void EachListener(MetricReading reading, Action<string, ListenerCounters> show)
    {
        foreach (var (name, counters) in reading.Parts.Server.Counters.All)
            show(name, counters);
    }
}
