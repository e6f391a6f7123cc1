using TorBalancer.Health;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Metrics;

/// <summary>The workers: their states, and what they carry.</summary>
internal static class WorkerMetrics
{
    private static readonly string[] OfWorker = ["worker"];

    private static readonly WorkerOperationalState[] States = Enum.GetValues<WorkerOperationalState>();

    /// <summary>Each pair of states that a worker can pass between, once.</summary>
    private static readonly (WorkerOperationalState From, WorkerOperationalState To)[] Transitions =
        [.. HealthTransitions.Table.Select(static row => (row.Transition.From, row.Transition.To)).Distinct()];

    public static IEnumerable<MetricFamily> All()
    {
        yield return MetricFamily.Gauge(
            "worker.info", "", "Always 1: what is configured of the worker", ["worker", "managed", "country"],
            static (reading, sink) => reading.EachWorker(one =>
                sink.Add(1, one.State.Id, one.State.Model.IsManaged ? "yes" : "no", one.State.Model.Country)));
        yield return MetricFamily.Gauge(
            "worker.state", "", "1 for the state that the worker is in, 0 for the others", ["worker", "state"],
            static (reading, sink) => reading.EachWorker(one =>
            {
                var now = one.State.Operational;
                foreach (var state in States)
                    sink.Add(MetricFamily.Flag(state == now), one.State.Id, state.Word());
            }));
        yield return Worker(
            "worker.draining", "", "1 while the operator has it drained",
            static worker => MetricFamily.Flag(worker.Administrative == WorkerAdministrativeState.Draining));
        yield return Worker(
            "worker.leaving", "", "1 while it is configured no longer and its last connections go on",
            static worker => MetricFamily.Flag(worker.Administrative == WorkerAdministrativeState.Leaving));
        yield return Worker(
            "worker.eligible", "", "1 while it is given connections: healthy or suspect, and neither draining nor leaving",
            static worker => MetricFamily.Flag(worker.IsEligible));
        yield return Worker("worker.weight", "", "Its share relative to the others", static worker => worker.Model.Weight);
        yield return Worker(
            "worker.active_connections", "{connection}", "Connections that are dialled or carried by it", static worker => worker.Active);
        yield return Worker(
            "worker.connections", "{connection}", "Connections that it was chosen for", static worker => worker.TotalConnections,
            MetricKind.Counter);
        yield return Worker(
            "worker.failures", "{connection}", "Connections that failed by its own fault", static worker => worker.TotalFailures,
            MetricKind.Counter);
        yield return MetricFamily.Counter(
            "worker.attempts", "{attempt}", "Attempts at it that were waited for to the end, by what came of them", ["worker", "cause"],
            static (reading, sink) => reading.EachWorker(one => sink.AddCauses(one.State.Meters.Attempts, one.State.Id)));
        yield return Worker(
            "worker.sent", "By", "Bytes from clients to targets", static worker => worker.BytesSent, MetricKind.Counter);
        yield return Worker(
            "worker.received", "By", "Bytes from targets to clients", static worker => worker.BytesReceived, MetricKind.Counter);
        yield return MetricFamily.Histogram(
            "worker.connect", "s", "From the dial to the answer that the target is reached", OfWorker,
            static (reading, sink) => reading.EachWorker(one => sink.Add(one.State.Meters.Connect, one.State.Id)));
        yield return MetricFamily.Histogram(
            "worker.first_byte", "s", "From that answer to the first byte that comes back", OfWorker,
            static (reading, sink) => reading.EachWorker(one => sink.Add(one.State.Meters.FirstByte, one.State.Id)));
        yield return MetricFamily.Counter(
            "worker.transitions", "{transition}", "Changes of its state", ["worker", "from", "to"],
            static (reading, sink) => reading.EachWorker(one =>
            {
                foreach (var (from, to) in Transitions)
                    sink.Add(one.Health.Transitions(from, to), one.State.Id, from.Word(), to.Word());
            }));
        yield return MetricFamily.Counter(
            "worker.probes", "{probe}", "Probes of it (not_made: for want of something of our own)", ["worker", "result"],
            static (reading, sink) => reading.EachWorker(one =>
            {
                sink.Add(one.Health.Probes(ProbeOutcome.Passed), one.State.Id, "passed");
                sink.Add(one.Health.Probes(ProbeOutcome.Failed), one.State.Id, "failed");
                sink.Add(one.Health.Probes(ProbeOutcome.NotMade), one.State.Id, "not_made");
            }));
        yield return MetricFamily.Counter(
            "worker.probes.failed", "{probe}", "Probes of it that failed, by the step that did", ["worker", "step"],
            static (reading, sink) => reading.EachWorker(one =>
            {
                for (int step = 0; step < ProbeSteps.All.Count; step++)
                    sink.Add(one.Health.FailedAt(step), one.State.Id, ProbeSteps.All[step]);
            }));
        yield return MetricFamily.Gauge(
            "demotion_frozen", "", "1 while no worker is declared dead because our own network seems to be down", [],
            static (reading, sink) => sink.Add(MetricFamily.Flag(reading.Parts.Health.IsUplinkFrozen)));
    }

    private static MetricFamily Worker(
        string name, string unit, string help, Func<WorkerState, double> value, MetricKind kind = MetricKind.Gauge) =>
        new(MetricFamily.Prefix + name, kind, unit, help, OfWorker,
            (reading, sink) => reading.EachWorker(one => sink.Add(value(one.State), one.State.Id)));
}
