using TorBalancer.Health;
using TorBalancer.Protocols;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Metrics;

/// <summary>A worker as it is read.</summary>
/// <param name="State">The worker.</param>
/// <param name="Health">What happened to its health.</param>
/// <param name="Tor">What its tor says; null without a control port.</param>
/// <param name="Blacklisted">Exits that it avoids.</param>
internal sealed record WorkerReading(WorkerState State, HealthCounters Health, WorkerTorFacts? Tor, int Blacklisted);

/// <summary>
/// One look at everything, from which all metrics take their values: what has to be collected is collected once. What is cheap to read
/// is read where it is shown.
/// </summary>
internal sealed class MetricReading
{
    private readonly Dictionary<(string Listener, ClientProtocol Protocol), int> _active = [];

    public MetricReading(MetricParts parts)
    {
        Parts = parts;
        foreach (var connection in parts.Server.Registry.All)
        {
            connection.CountBytes();
            connection.Context.User?.Count(connection.Context.Counters);
            var key = (connection.Context.Listener.Name, connection.Context.Protocol);
            _active[key] = _active.GetValueOrDefault(key) + 1;
        }

        var blacklisted = parts.Relays.Blacklist.CountBy(static entry => entry.WorkerId, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(StringComparer.OrdinalIgnoreCase);
        Workers =
        [
            .. parts.Pool.Snapshot.All.Select(worker => new WorkerReading(
                worker, parts.Health.CountersOf(worker), parts.Relays.FactsOf(worker.Id), blacklisted.GetValueOrDefault(worker.Id))),
        ];
    }

    public MetricParts Parts { get; }

    /// <summary>In the order of the file.</summary>
    public IReadOnlyList<WorkerReading> Workers { get; }

    /// <summary>Clients that are connected.</summary>
    public int Active(string listener, ClientProtocol protocol) => _active.GetValueOrDefault((listener, protocol));

    public void EachWorker(Action<WorkerReading> show)
    {
        foreach (var one in Workers)
            show(one);
    }

    /// <summary>Each that has a control port, by its id.</summary>
    public void EachTor(Action<string, WorkerTorFacts> show)
    {
        foreach (var one in Workers)
        {
            if (one.Tor is { } tor)
                show(one.State.Id, tor);
        }
    }
}
