using TorBalancer.Workers;

namespace TorBalancer.Health;

// What a daemon that takes over needs to know of workers.
internal sealed partial class HealthMonitor
{
    /// <summary>A copy of what is known of every worker that does not leave.</summary>
    public IReadOnlyList<WorkerHandOver> Export()
    {
        var now = Now;
        var all = new List<WorkerHandOver>();
        foreach (var worker in _pool.Snapshot.All)
        {
            if (worker.Administrative == WorkerAdministrativeState.Leaving)
                continue;
            var state = Look(Of(worker)).State;
            all.Add(new WorkerHandOver(worker.Id, worker.Model.SocksEndPoint.ToString()!)
            {
                // The machine's times are those of this process's clock.
                State = state with
                {
                    Since = now - state.Since,
                    NextAttempt = state.NextAttempt - now,
                    Deadline = state.Deadline - now,
                },
                Reason = worker.OperationalReason,
                IsDraining = worker.Administrative == WorkerAdministrativeState.Draining,
                Totals = worker.Totals,
            });
        }

        return all;
    }

    /// <summary>
    /// Goes on with what another process of ours knew. A worker that is configured with another address by now is judged anew; what the
    /// operator has said of it, and what it has carried, holds for its name.
    /// </summary>
    public void Adopt(IReadOnlyList<WorkerHandOver> states)
    {
        foreach (var known in states)
        {
            if (_pool.Find(known.Id) is not { } worker)
                continue;
            worker.Adopt(known.Totals);
            if (known.IsDraining)
                _pool.SetAdministrative(worker, WorkerAdministrativeState.Draining);
            if (known.Address != worker.Model.SocksEndPoint.ToString() || known.State.IsStarting)
                continue;
            var health = Of(worker);

            // Its process has ended since, and this one knows it.
            if (Look(health).State.IsStarting)
                continue;
            lock (_lock)
            {
                var now = Now;
                health.Set(known.State with
                {
                    Since = now - known.State.Since,
                    NextAttempt = known.State.NextAttempt + now,
                    Deadline = known.State.Deadline + now,
                });
                _pool.SetOperational(worker, known.State.Operational, known.Reason);
                Arm_NeedsLock(health);
            }

            health.Wake();
        }
    }
}

/// <summary>One worker, for a daemon that takes over.</summary>
/// <param name="Address">Where it speaks SOCKS.</param>
internal sealed record WorkerHandOver(string Id, string Address)
{
    /// <summary>Its times are ages and waits.</summary>
    public required WorkerHealthState State { get; init; }

    public required string Reason { get; init; }

    public bool IsDraining { get; init; }

    public required WorkerTotals Totals { get; init; }
}
