namespace TorBalancer.Workers;

/// <summary>
/// All workers. The only place that derives who may be picked, and the only writer of the snapshot; readers take one
/// volatile read and no lock.
/// </summary>
public sealed class WorkerPool
{
    private readonly Lock _lock = new();
    private WorkerSnapshot _snapshot = WorkerSnapshot.Empty;
    private TaskCompletionSource _changed = NewSignal();

    public WorkerSnapshot Snapshot => Volatile.Read(ref _snapshot);

    /// <summary>Completes at the next change of the snapshot; take it before reading the snapshot.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>
    /// Replaces the set of workers. A worker whose id was there before keeps its state, counters and live connections;
    /// one that is gone is no longer picked, and stays behind the others until its live connections have finished
    /// (<see cref="RemoveFinished"/>).
    /// </summary>
    /// <param name="models">In the order of the file.</param>
    /// <param name="initial">The state of workers that were not there before.</param>
    /// <param name="keepsManaged">True: those that the daemon runs itself stay in front of them, as they are.</param>
    /// <returns>Who came and who went by it.</returns>
    public WorkerPoolChange Apply(
        IReadOnlyList<WorkerModel> models, WorkerOperationalState initial = WorkerOperationalState.Healthy, bool keepsManaged = false)
    {
        lock (_lock)
        {
            var known = _snapshot.AllWorkers.ToDictionary(static worker => worker.Id, StringComparer.OrdinalIgnoreCase);
            var next = new List<WorkerState>(models.Count);
            List<WorkerState> added = [], leaving = [], gone = [];
            foreach (var managed in _snapshot.AllWorkers.Where(worker => keepsManaged && worker.Model.IsManaged))
            {
                known.Remove(managed.Id);
                next.Add(managed);
            }

            foreach (var model in models)
            {
                if (known.Remove(model.Id, out var worker))
                {
                    worker.Model = model;
                    if (worker.Administrative == WorkerAdministrativeState.Leaving)
                    {
                        worker.Administrative = WorkerAdministrativeState.Enabled;
                        added.Add(worker);
                    }
                }
                else
                {
                    worker = new WorkerState(model) { Operational = initial };
                    added.Add(worker);
                }

                next.Add(worker);
            }

            foreach (var left in known.Values)
            {
                bool isLeaving = left.Administrative == WorkerAdministrativeState.Leaving;
                left.Administrative = WorkerAdministrativeState.Leaving;
                if (left.Active == 0)
                {
                    gone.Add(left);
                    continue;
                }

                next.Add(left);
                if (!isLeaving)
                    leaving.Add(left);
            }

            Swap_NeedsLock(new WorkerSnapshot([.. next], _snapshot.Generation + 1));
            return new WorkerPoolChange(added, leaving, gone);
        }
    }

    /// <summary>Lets those go that leave and whose live connections have finished.</summary>
    /// <param name="left">Those that are gone now.</param>
    /// <returns>True when others are still leaving.</returns>
    public bool RemoveFinished(out IReadOnlyList<WorkerState> left)
    {
        lock (_lock)
        {
            var leaving = Array.FindAll(
                _snapshot.AllWorkers, static worker => worker.Administrative == WorkerAdministrativeState.Leaving);
            var finished = Array.FindAll(leaving, static worker => worker.Active == 0);
            left = finished;
            if (finished.Length > 0)
                Swap_NeedsLock(new WorkerSnapshot([.. _snapshot.AllWorkers.Except(finished)], _snapshot.Generation + 1));
            return leaving.Length > finished.Length;
        }
    }

    /// <summary>Gives one worker a new model (a managed tor that came up on another address).</summary>
    public void Replace(WorkerState worker, WorkerModel model)
    {
        lock (_lock)
        {
            worker.Model = model;
            Swap_NeedsLock(new WorkerSnapshot(_snapshot.AllWorkers, _snapshot.Generation + 1));
        }
    }

    /// <summary>The worker with this id (any letter case), or null.</summary>
    public WorkerState? Find(string id) =>
        Array.Find(Snapshot.AllWorkers, worker => worker.Id.Equals(id, StringComparison.OrdinalIgnoreCase));

    /// <summary>Sets what health says. True when that changed the state.</summary>
    public bool SetOperational(WorkerState worker, WorkerOperationalState state, string reason)
    {
        lock (_lock)
        {
            bool changed = worker.Operational != state;
            worker.Operational = state;
            worker.OperationalReason = reason;
            if (changed)
                Swap_NeedsLock(new WorkerSnapshot(_snapshot.AllWorkers, _snapshot.Generation));
            return changed;
        }
    }

    /// <summary>
    /// Sets what the operator says. True when that changed the state. A worker that leaves does so: only <see cref="Apply"/> takes it back.
    /// </summary>
    public bool SetAdministrative(WorkerState worker, WorkerAdministrativeState state)
    {
        lock (_lock)
        {
            if (worker.Administrative == WorkerAdministrativeState.Leaving)
                return false;
            bool changed = worker.Administrative != state;
            worker.Administrative = state;
            if (changed)
                Swap_NeedsLock(new WorkerSnapshot(_snapshot.AllWorkers, _snapshot.Generation));
            return changed;
        }
    }

    private void Swap_NeedsLock(WorkerSnapshot next)
    {
        Volatile.Write(ref _snapshot, next);
        var previous = _changed;
        Volatile.Write(ref _changed, NewSignal());
        previous.TrySetResult();
    }

    /// <summary>Continuations run elsewhere: none may run under the pool's lock.</summary>
    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>Who came and who went when the set of workers was replaced.</summary>
/// <param name="Added">Were not there before, or were leaving.</param>
/// <param name="Leaving">Take no new connections from now on, and stay until their live ones have finished.</param>
/// <param name="Gone">Had no live connection, so they are no longer there.</param>
public sealed record WorkerPoolChange(
    IReadOnlyList<WorkerState> Added, IReadOnlyList<WorkerState> Leaving, IReadOnlyList<WorkerState> Gone);
