namespace TorBalancer.Admin.Metrics;

/// <summary>The daemon itself.</summary>
internal static class DaemonMetrics
{
    public static IEnumerable<MetricFamily> All()
    {
        yield return MetricFamily.Gauge(
            "build.info", "", "Always 1: what this is", ["version", "runtime"],
            static (_, sink) => sink.Add(1, ProcessFigures.Version, ProcessFigures.Runtime));
        yield return MetricFamily.Gauge(
            "client_limit", "{connection}", "Clients that the file descriptors allow at one time", [],
            static (reading, sink) => sink.Add(reading.Parts.Server.Descriptors.MostClients));
        yield return MetricFamily.Counter(
            "password_hashes", "{hash}", "Password hashes that were computed, right ones and wrong ones", [],
            static (reading, sink) => sink.Add(reading.Parts.Server.Passwords.Hashes));
        yield return MetricFamily.Counter(
            "discovery_lookups", "{lookup}", "Questions to DNS for workers ([Discovery]), and what became of them", ["result"],
            static (reading, sink) =>
            {
                sink.Add(reading.Parts.Discovery.Answers, "in_force");
                sink.Add(reading.Parts.Discovery.Failures, "kept");
            });
        yield return MetricFamily.Gauge(
            "process.start_time", "s", "When the process began, since 1970", [], static (_, sink) => sink.Add(ProcessFigures.StartTime));
        yield return MetricFamily.Counter(
            "process.cpu", "s", "Processor time of the process", [],
            static (_, sink) => sink.Add(Environment.CpuUsage.TotalTime.TotalSeconds));
        yield return MetricFamily.Gauge(
            "process.resident_memory", "By", "Memory of the process that is resident", [],
            static (_, sink) => sink.Add(ProcessFigures.ResidentMemory));
        yield return MetricFamily.Gauge(
            "process.managed_memory", "By", "Memory of managed objects, those included that nobody needs any more", [],
            static (_, sink) => sink.Add(GC.GetTotalMemory(forceFullCollection: false)));
        yield return MetricFamily.Gauge(
            "process.open_fds", "{descriptor}", "Open file descriptors", [], static (_, sink) => sink.Add(ProcessFigures.OpenDescriptors));
        yield return MetricFamily.Gauge(
            "process.max_fds", "{descriptor}", "How many the process may have (RLIMIT_NOFILE)", [],
            static (_, sink) => sink.Add(ProcessFigures.DescriptorLimit));
    }
}
