using System.Collections.Concurrent;
using TorBalancer.Health;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Support;

/// <summary>Makes the probes of another and keeps what they found.</summary>
internal sealed class RecordedProbes(IProbeSequence inner) : IProbeSequence
{
    private readonly ConcurrentQueue<(string WorkerId, DateTimeOffset At, ProbeReport Report)> _made = [];

    /// <summary>Those of a worker, the newest last, each with the time at which it began.</summary>
    public IReadOnlyList<(DateTimeOffset At, ProbeReport Report)> Of(string workerId) =>
        [.. _made.Where(made => made.WorkerId == workerId).Select(static made => (made.At, made.Report))];

    public async Task<ProbeReport> RunAsync(WorkerState worker, bool inRecovery, CancellationToken cancellationToken)
    {
        var at = TimeProvider.System.GetUtcNow();
        var report = await inner.RunAsync(worker, inRecovery, cancellationToken);
        _made.Enqueue((worker.Id, at, report));
        return report;
    }
}
