using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Protocols;
using TorBalancer.Server;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Admin;

/// <summary>Copies of what is, for people and programs that look on. Nothing here changes anything.</summary>
internal sealed class AdminViews(
    WorkerPool pool, IWorkerHealthView health, ITorFacts tor, ProxyServer server, ExitLookup exits, SessionTable sessions, LogOptions log, TimeProvider time)
{
    public int WorkerCount => pool.Snapshot.AllWorkers.Length;

    public int ConnectionCount => server.Connections.Count;

    public int SessionCount => sessions.Count;

    public HealthView Health()
    {
        var all = pool.Snapshot.AllWorkers;
        var entries = new OrderedDictionary<string, WorkerHealthEntry>(all.Length, StringComparer.Ordinal);
        foreach (var worker in all)
            entries.Add(worker.Id, EntryOf(worker));
        return new HealthView(
            all.Count(static worker => worker.Operational is WorkerOperationalState.Healthy or WorkerOperationalState.Suspect),
            all.Count(static worker => worker.IsEligible), all.Length, entries);
    }

    public WorkersView Workers() => new([.. pool.Snapshot.AllWorkers.Select(Of)]);

    public WorkerView Of(WorkerState worker)
    {
        var model = worker.Model;
        return new WorkerView
        {
            Id = model.Id,
            Address = model.SocksEndPoint.ToString()!,
            Weight = model.Weight,
            Country = model.Country.Length > 0 ? model.Country : null,
            Managed = model.IsManaged,
            Health = EntryOf(worker),
            TotalConnections = worker.TotalConnections,
            TotalFailures = worker.TotalFailures,
            BytesSent = worker.BytesSent,
            BytesReceived = worker.BytesReceived,
            Tor = tor.FactsOf(worker.Id) is { } facts ? TorView.From(facts) : null,
            ConnectMs = worker.ConnectTimeMs > 0 ? Math.Round(worker.ConnectTimeMs, 1) : null,
        };
    }

    public ConnectionsView Connections() => new(
    [
        .. server.Connections.All.Select(static connection => connection.Context).OrderBy(static context => context.Started).Select(context => new ConnectionView(
            context.Id, context.Listener.Name, context.Protocol.Word(), context.Target is null ? null : AccessLog.TargetText(context.Target, log.Targets),
            context.WorkerId, exits.Find(context.Stream), (long)time.GetElapsedTime(context.Started).TotalMilliseconds, context.Counters.FromClient, context.Counters.FromUpstream)),
    ]);

    /// <summary>Who knows a session's name and its user's can share its circuit: names are shown where targets are.</summary>
    public SessionsView Sessions() => new(
    [
        .. sessions.List().Select(session => new SessionView(
            session.Id, log.Targets ? session.Name : null, session.WorkerId, Milliseconds(session.Age), Milliseconds(session.Idle), session.Uses,
            session.ExpiresIn is { } left ? Milliseconds(left) : null, session.UsesLeft)),
    ]);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    private WorkerHealthEntry EntryOf(WorkerState worker)
    {
        var facts = health.Of(worker);
        long total = worker.TotalConnections, failures = Math.Min(worker.TotalFailures, total);
        return new WorkerHealthEntry
        {
            State = worker.Operational.ToString().ToUpperInvariant(),
            Administrative = worker.Administrative == WorkerAdministrativeState.Draining ? "draining" : "enabled",
            Reason = worker.OperationalReason.Length > 0 ? worker.OperationalReason : null,
            Connections = worker.Active,
            SuccessRate = total == 0 ? 1 : Math.Round((double)(total - failures) / total, 2),
            Failures = facts.Failures,
            BackoffIndex = facts.BackoffIndex,
            NextRetry = facts.NextRetry is { } wait ? string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, Math.Ceiling(wait.TotalSeconds)):0}s") : null,
        };
    }
}
