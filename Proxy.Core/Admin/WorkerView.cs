using System.Globalization;
using TorBalancer.Health;
using TorBalancer.Workers;

namespace TorBalancer.Admin;

/// <summary>One worker in GET /api/v1/health. Member names in JSON are these in snake_case and are contract.</summary>
internal sealed record WorkerHealthView
{
    /// <summary>HEALTHY, SUSPECT, DEAD or RECOVERY.</summary>
    public required string State { get; init; }

    /// <summary>enabled, draining or leaving.</summary>
    public required string Administrative { get; init; }

    /// <summary>Why it is in that state, for people; null when there is nothing to say.</summary>
    public string? Reason { get; init; }

    /// <summary>Connections being dialled and being carried.</summary>
    public required int Connections { get; init; }

    /// <summary>Share of dials that did not fail by the worker's own fault, 0-1, two decimals; 1 before the first.</summary>
    public required double SuccessRate { get; init; }

    /// <summary>Failures that count against it now.</summary>
    public required int Failures { get; init; }

    /// <summary>Its step in the back-off; null when it is not being recovered.</summary>
    public int? BackoffIndex { get; init; }

    /// <summary>Until it is tried again, as in "10s"; null when it is not being recovered.</summary>
    public string? NextRetry { get; init; }

    public static WorkerHealthView From(WorkerState worker, WorkerHealthFacts facts)
    {
        long total = worker.TotalConnections, failures = Math.Min(worker.TotalFailures, total);
        return new WorkerHealthView
        {
            State = worker.Operational.ToString().ToUpperInvariant(),
            Administrative = worker.Administrative.Word(),
            Reason = worker.OperationalReason.Length > 0 ? worker.OperationalReason : null,
            Connections = worker.Active,
            SuccessRate = total == 0 ? 1 : Math.Round((double)(total - failures) / total, 2),

            // Ambiguous failures are halves; half a failure is none that an operator could point at.
            Failures = (int)facts.Failures,
            BackoffIndex = facts.BackoffIndex,
            NextRetry = facts.NextRetry is { } wait
                ? string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, Math.Ceiling(wait.TotalSeconds)):0}s")
                : null,
        };
    }
}

/// <summary>GET /api/v1/health.</summary>
/// <param name="Ready">A new connection would be carried now, and should come.</param>
/// <param name="Stage">starting, serving, lame_duck or draining.</param>
/// <param name="Summary">Why it is ready or not, in one line for people.</param>
/// <param name="HealthyWorkers">HEALTHY and SUSPECT ones: health lets them carry traffic.</param>
/// <param name="AvailableWorkers">Those of them that are not draining: what connections are given to.</param>
/// <param name="TotalWorkers">All of them.</param>
/// <param name="Workers">By id, in the order of the file.</param>
internal sealed record HealthView(
    bool Ready, string Stage, string Summary, int HealthyWorkers, int AvailableWorkers, int TotalWorkers,
    IReadOnlyDictionary<string, WorkerHealthView> Workers)
{
    /// <summary>The process that handed over to this one; null: this one was started by itself.</summary>
    public TakeoverView? TakenOver { get; init; }

    /// <summary>What DNS last said of workers; null: it is not asked.</summary>
    public DiscoveryView? Discovery { get; init; }
}

/// <summary>The latest question to DNS for workers.</summary>
/// <param name="Workers">That are known by it.</param>
/// <param name="Problem">What was wrong with the answer, so that what was known before stays; null: nothing.</param>
/// <param name="At">When.</param>
internal sealed record DiscoveryView(int Workers, string? Problem, DateTimeOffset At);

/// <summary>A takeover: <c>torbalancer run --takeover</c>.</summary>
/// <param name="Process">The number of the process that served before.</param>
/// <param name="Release">Its release.</param>
/// <param name="At">When the process of now began to serve.</param>
internal sealed record TakeoverView(int Process, string Release, DateTimeOffset At);

/// <summary>One worker with all its counters: GET /api/v1/workers, and the answer to drain and enable.</summary>
internal sealed record WorkerView
{
    public required string Id { get; init; }

    /// <summary>Where it speaks SOCKS5.</summary>
    public required string Address { get; init; }

    public required int Weight { get; init; }

    /// <summary>Lower-case country code, or null.</summary>
    public string? Country { get; init; }

    /// <summary>True when the daemon started it.</summary>
    public required bool Managed { get; init; }

    public required WorkerHealthView Health { get; init; }

    public required long TotalConnections { get; init; }

    public required long TotalFailures { get; init; }

    /// <summary>Bytes from clients to the worker, of ended connections and of live ones until now.</summary>
    public required long BytesSent { get; init; }

    /// <summary>Bytes from the worker to clients, of ended connections and of live ones until now.</summary>
    public required long BytesReceived { get; init; }

    /// <summary>Moving average from dial to connected, milliseconds; null before the first.</summary>
    public double? ConnectMs { get; init; }

    /// <summary>What its tor says of itself; null without a control port.</summary>
    public TorView? Tor { get; init; }
}

/// <summary>GET /api/v1/workers.</summary>
internal sealed record WorkersView(IReadOnlyList<WorkerView> Workers);
