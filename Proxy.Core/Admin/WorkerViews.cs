using TorBalancer.Health;
using TorBalancer.Server;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Admin;

/// <summary>Workers for people and programs that look on: what the pool, health and their tors say of them.</summary>
internal sealed class WorkerViews(
    WorkerPool pool, HealthMonitor health, ITorFacts tor, ReadinessJudge readiness, DiscoveryState discovery,
    ConnectionRegistry connections)
{
    /// <summary>How many there are.</summary>
    public int Count => pool.Snapshot.AllWorkers.Length;

    public HealthView Health()
    {
        var report = readiness.Look();
        var all = report.Pool.AllWorkers;
        var views = new OrderedDictionary<string, WorkerHealthView>(all.Length, StringComparer.Ordinal);
        foreach (var worker in all)
            views.Add(worker.Id, WorkerHealthView.From(worker, health.FactsOf(worker)));
        return new HealthView(
            report.IsReady, report.Stage.Word(), report.Summary,
            all.Count(static worker => worker.Operational is WorkerOperationalState.Healthy or WorkerOperationalState.Suspect),
            report.Available, report.Total, views)
        {
            Discovery = discovery.Last is { } dns ? new DiscoveryView(dns.Workers, dns.Problem, dns.At) : null,
            TakenOver = readiness.TakenOver is { } facts ? new TakeoverView(facts.ProcessId, facts.Release, facts.At) : null,
        };
    }

    /// <summary>All of them, with what their live connections have carried until now.</summary>
    public WorkersView All()
    {
        connections.CountBytes();
        return new WorkersView([.. pool.Snapshot.AllWorkers.Select(View)]);
    }

    /// <summary>One of them, likewise.</summary>
    public WorkerView Of(WorkerState worker)
    {
        connections.CountBytes();
        return View(worker);
    }

    private WorkerView View(WorkerState worker)
    {
        var model = worker.Model;
        return new WorkerView
        {
            Id = model.Id,
            Address = model.SocksEndPoint.ToString()!,
            Weight = model.Weight,
            Country = model.Country.Length > 0 ? model.Country : null,
            Managed = model.IsManaged,
            Health = WorkerHealthView.From(worker, health.FactsOf(worker)),
            TotalConnections = worker.TotalConnections,
            TotalFailures = worker.TotalFailures,
            BytesSent = worker.BytesSent,
            BytesReceived = worker.BytesReceived,
            Tor = tor.FactsOf(worker.Id) is { } facts ? TorView.From(facts) : null,
            ConnectMs = worker.ConnectTimeMs > 0 ? Math.Round(worker.ConnectTimeMs, 1) : null,
        };
    }
}
