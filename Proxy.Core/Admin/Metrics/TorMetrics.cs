using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Warm;

namespace TorBalancer.Admin.Metrics;

/// <summary>What the workers' tors say of themselves: of those that have a control port.</summary>
internal static class TorMetrics
{
    private static readonly string[] OfWorker = ["worker"];

    public static IEnumerable<MetricFamily> All()
    {
        yield return MetricFamily.Gauge(
            "tor.info", "", "Always 1: the version of the worker's tor", ["worker", "version"],
            static (reading, sink) => reading.EachTor((id, tor) =>
            {
                if (tor.TorVersion.Length > 0)
                    sink.Add(1, id, tor.TorVersion);
            }));
        yield return Tor("tor.connected", "", "1 while its control port is connected", static tor => MetricFamily.Flag(tor.IsConnected));
        yield return Tor("tor.bootstrap", "1", "How far its start has come", static tor => tor.Bootstrap.Progress / 100d);
        yield return Tor(
            "tor.network_live", "", "1 while tor believes that its network is up", static tor => MetricFamily.Flag(tor.IsNetworkLive));
        yield return Tor("tor.circuits", "{circuit}", "Its circuits", static tor => tor.Circuits);
        yield return Tor("tor.streams", "{stream}", "Its streams", static tor => tor.Streams);
        yield return Tor("tor.guards_down", "{relay}", "Guards that tor calls down", static tor => tor.GuardsDown.Count);
        yield return Tor(
            "tor.brake", "", "1 while no exit may be blamed, because too much fails at once",
            static tor => MetricFamily.Flag(tor.Brake is not null));
        yield return Tor(
            "tor.rebuilds", "{circuit}", "Circuits that were replaced as broken", static tor => tor.Rebuilds, MetricKind.Counter);
        yield return MetricFamily.Gauge(
            "blacklisted_relays", "{relay}", "Exits that the worker avoids now", OfWorker,
            static (reading, sink) => reading.EachWorker(one =>
            {
                if (one.Tor is not null)
                    sink.Add(one.Blacklisted, one.State.Id);
            }));
        yield return Warm(
            "warm_circuits.clean", "Circuits that are built and carry nothing yet, tor's own included", static warm => warm.Clean);
        yield return Warm("warm_circuits.building", "Circuits that are being built ahead", static warm => warm.Building);
        yield return Warm("warm_circuits.target", "How many of both there are to be", static warm => warm.Target);
        yield return Warm("warm_circuits.launched", "Circuits that were built ahead", static warm => warm.Launched, MetricKind.Counter);
        yield return Warm("warm_circuits.used", "How many of these carried a stream", static warm => warm.Used, MetricKind.Counter);
        yield return Warm("warm_circuits.unused", "How many ended without one", static warm => warm.Unused, MetricKind.Counter);
        yield return Warm("warm_circuits.failed", "How many could not be built", static warm => warm.Failed, MetricKind.Counter);
        yield return BuildTime(
            "warm_circuits.build_time", "Median time to build a circuit, of the latest 64, tor's own included",
            static warm => warm.BuildTime);
        yield return BuildTime(
            "warm_circuits.slow_build_time", "Nine of ten of the same take no longer", static warm => warm.SlowBuildTime);
    }

    private static MetricFamily Tor(
        string name, string unit, string help, Func<WorkerTorFacts, double> value, MetricKind kind = MetricKind.Gauge) =>
        new(MetricFamily.Prefix + name, kind, unit, help, OfWorker,
            (reading, sink) => reading.EachTor((id, tor) => sink.Add(value(tor), id)));

    private static MetricFamily BuildTime(string name, string help, Func<WarmFacts, TimeSpan?> value) =>
        MetricFamily.Gauge(name, "s", help, OfWorker, (reading, sink) => reading.EachTor((id, tor) =>
        {
            if (tor.Warm is { } warm && value(warm) is { } time)
                sink.Add(time.TotalSeconds, id);
        }));

    private static MetricFamily Warm(string name, string help, Func<WarmFacts, double> value, MetricKind kind = MetricKind.Gauge) =>
        new(MetricFamily.Prefix + name, kind, "{circuit}", help, OfWorker,
            (reading, sink) => reading.EachTor((id, tor) =>
            {
                if (tor.Warm is { } warm)
                    sink.Add(value(warm), id);
            }));
}
