using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Reload;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Admin;

/// <summary>What an operator may change while the daemon runs. Every command may be given twice.</summary>
internal sealed partial class AdminCommands(
    WorkerPool pool, HealthMonitor health, SessionTable sessions, ConnectionViews connections, RelayWatchService relays,
    ILogger<AdminCommands> logger)
{
    // Two who drain and enable one worker at the same time: the log has them in the order in which the pool had them.
    private readonly Lock _steering = new();

    /// <summary>Reloads; null: there is no configuration that could be read again.</summary>
    public ConfigurationReloader? Reloader { get; init; }

    /// <summary>Adds and removes workers; null where there is no <see cref="Reloader"/>.</summary>
    public WorkerCommands? Workers { get; init; }

    /// <summary>No new connections for this worker; live ones go on. Null when there is no such worker.</summary>
    public WorkerState? Drain(string id)
    {
        if (pool.Find(id) is not { Administrative: not WorkerAdministrativeState.Leaving } worker)
            return null;
        lock (_steering)
        {
            if (pool.SetAdministrative(worker, WorkerAdministrativeState.Draining))
                Log.Draining(logger, worker.Id, worker.Active);
        }

        return worker;
    }

    /// <summary>Back into the pool, from draining and from whatever health thinks of it. Null when there is no such worker.</summary>
    public WorkerState? Enable(string id)
    {
        if (pool.Find(id) is not { Administrative: not WorkerAdministrativeState.Leaving } worker)
            return null;
        lock (_steering)
        {
            bool changed = !worker.IsEligible;
            health.Enable(worker);
            if (changed)
                Log.Enabled(logger, worker.Id);
        }

        return worker;
    }

    /// <summary>A new circuit for a session, from its next connection on. How many sessions that name or id stands for; 0: none.</summary>
    public int Rotate(string nameOrId)
    {
        int rotated = sessions.Rotate(nameOrId);
        if (rotated > 0)
            Log.Rotated(logger, rotated);
        return rotated;
    }

    /// <summary>Ends a live connection whatever it is doing; what it was then. Null when there is no such one.</summary>
    public ConnectionDetailView? Close(string id)
    {
        if (connections.FindLive(id) is not { } connection)
            return null;
        var view = connections.DetailOf(connection.Context);
        connection.Abort(TunnelEnd.Aborted);
        Log.Closed(logger, connection.Context.Id, view.State);
        return view;
    }

    /// <summary>Exits are used again before their time is over. How many were avoided until now, over all workers.</summary>
    /// <param name="fingerprint">Only that relay; null: all of them.</param>
    public int Forgive(string? fingerprint) => relays.Forgive(fingerprint);

    private static partial class Log
    {
        [LoggerMessage(AdminEventIds.ConnectionClosed, LogLevel.Information, "Connection {Id} is closed on request (it was {State})")]
        public static partial void Closed(ILogger logger, string id, string state);

        [LoggerMessage(AdminEventIds.SessionRotated, LogLevel.Information, "Sessions rotated on request: {Count}")]
        public static partial void Rotated(ILogger logger, int count);

        [LoggerMessage(
            AdminEventIds.WorkerDraining, LogLevel.Information,
            "Worker {Worker} drains on request: no new connections; {Active} live ones go on")]
        public static partial void Draining(ILogger logger, string worker, int active);

        [LoggerMessage(AdminEventIds.WorkerEnabled, LogLevel.Information, "Worker {Worker} was enabled on request")]
        public static partial void Enabled(ILogger logger, string worker);
    }
}
