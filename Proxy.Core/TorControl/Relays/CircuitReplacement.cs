using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// Replaces broken circuits of one worker: a new one is built first, and only then what used the old one moves on. <c>Observe</c> takes
/// events and waits for nothing; everything that sends commands is called by the one maintenance loop. Thread-safe.
/// </summary>
internal sealed partial class CircuitReplacement(
    string workerId, Live<BlacklistOptions> options, CircuitTable table, CircuitEpochs epochs, RelayWatchTiming timing, TimeProvider time,
    ILogger logger)
{
    /// <summary>More at a time would be a storm: what fails so widely is not one circuit's fault.</summary>
    private const int MaxRebuilds = 8;

    /// <summary>tor chooses at random, and may choose the very relay that is gone.</summary>
    private const int MaxAttempts = 3;

    /// <summary>Failures in a row come again, so what does not fit stays as it is.</summary>
    private const int MaxPending = 256;

    private readonly Lock _lock = new();

    // Under the lock.
    private readonly CircuitRebuilder _rebuilder = new(workerId, epochs, options.Select(static one => one.FailureThreshold));
    private readonly Queue<BrokenCircuit> _pending = new();
    private readonly List<PendingRebuild> _building = [];

    /// <summary>Circuits that were replaced so far.</summary>
    public long Rebuilds
    {
        get
        {
            lock (_lock)
                return _rebuilder.Rebuilds;
        }
    }

    /// <summary>The time until a circuit that is being built is given up; null: none is.</summary>
    public TimeSpan? UntilDue
    {
        get
        {
            lock (_lock)
                return _building.Count == 0 ? null : _building.Min(UntilGivenUp);
        }
    }

    /// <summary>Takes in one event and what it says about circuits. True when maintenance has work.</summary>
    public bool Observe(ControlEvent message, List<StreamVerdict> verdicts)
    {
        bool hasWork = false;
        lock (_lock)
        {
            if (message is CircuitEvent { Circuit: var circuit })
            {
                foreach (var one in _building)
                    hasWork |= one.Observe(circuit);
            }

            if (!options.Value.Rebuild)
                return hasWork;
            foreach (var verdict in verdicts)
            {
                if (_rebuilder.Observe(verdict) is not { } broken)
                    continue;
                if (_pending.Count == MaxPending)
                {
                    _rebuilder.Kept(broken);
                    continue;
                }

                _pending.Enqueue(broken);
                hasWork = true;
            }
        }

        return hasWork;
    }

    /// <summary>Another process may answer next: what was seen of this one goes.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _rebuilder.Clear();
            _pending.Clear();
            _building.Clear();
        }
    }

    /// <summary>
    /// Lets tor build a circuit of its own choice for each that was found broken. Where it cannot even begin, the old one stays in use.
    /// </summary>
    public async Task BeginPendingAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        while (TryTakePending() is { } broken)
            await AttemptAsync(control, broken, 1, time.GetTimestamp(), cancellationToken);
    }

    /// <summary>Carries out what has been decided since: move on, try again, or stay.</summary>
    public async Task FinishAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        PendingRebuild[] decided;
        lock (_lock)
        {
            decided = [.. _building.Where(one => one.Progress != RebuildProgress.Building || UntilGivenUp(one) <= TimeSpan.Zero)];
            _building.RemoveAll(one => Array.IndexOf(decided, one) >= 0);
        }

        foreach (var one in decided)
        {
            if (one.Progress == RebuildProgress.Built)
                await ReplaceAsync(control, one.Broken, cancellationToken);
            else if (one.Progress == RebuildProgress.Failed && one.Attempt < MaxAttempts && UntilGivenUp(one) > TimeSpan.Zero)
                await AttemptAsync(control, one.Broken, one.Attempt + 1, one.Begun, cancellationToken);
            else
                Keep(
                    one.Broken,
                    one.Progress == RebuildProgress.Failed
                        ? $"circuit {one.CircuitId} could not be built"
                        : $"circuit {one.CircuitId} was not built in time");
        }
    }

    private BrokenCircuit? TryTakePending()
    {
        lock (_lock)
            return _pending.TryDequeue(out var broken) ? broken : null;
    }

    private async Task AttemptAsync(
        ControlConnection control, BrokenCircuit broken, int attempt, long begun, CancellationToken cancellationToken)
    {
        bool full;
        lock (_lock)
            full = _building.Count >= MaxRebuilds;
        if (full)
        {
            Keep(broken, "too many others are being replaced");
            return;
        }

        try
        {
            string id = await control.ExtendNewCircuitAsync(cancellationToken);
            var pending = new PendingRebuild(broken, id, attempt, begun);
            lock (_lock)
            {
                // tor may have told of it before it answered us; an event from now on waits for this lock.
                _building.Add(pending);
                if (table.WasBuilt(id))
                    pending.ObserveBuilt();
            }
        }
        catch (Exception failure) when (ControlFailures.IsOfCommand(failure))
        {
            Keep(broken, failure.Message);
        }
    }

    /// <summary>From now on the token gets another circuit. The old one is closed if nothing is on it: open streams live on.</summary>
    private async Task ReplaceAsync(ControlConnection control, BrokenCircuit broken, CancellationToken cancellationToken)
    {
        long epoch;
        lock (_lock)
            epoch = _rebuilder.Replaced(broken);
        Log.CircuitBroken(logger, workerId, string.Join(',', broken.Circuits), broken.Failures, epoch);
        foreach (string circuit in broken.Circuits)
            await UnusedCircuits.TryCloseAsync(control, workerId, circuit, logger, cancellationToken);
    }

    private void Keep(BrokenCircuit broken, string problem)
    {
        lock (_lock)
            _rebuilder.Kept(broken);
        Log.RebuildGivenUp(logger, workerId, string.Join(',', broken.Circuits), problem);
    }

    private TimeSpan UntilGivenUp(PendingRebuild pending) => timing.RebuildTimeout - time.GetElapsedTime(pending.Begun);

    private static partial class Log
    {
        [LoggerMessage(
            RelayEventIds.CircuitBroken, LogLevel.Information,
            "Worker {Worker}: circuit {Circuits} is broken after {Failures} failures in a row; another is built and what used it moves "
                + "on (epoch {Epoch})")]
        public static partial void CircuitBroken(ILogger logger, string worker, string circuits, int failures, long epoch);

        [LoggerMessage(
            RelayEventIds.RebuildGivenUp, LogLevel.Warning, "Worker {Worker}: circuit {Circuits} is broken and stays in use: {Problem}")]
        public static partial void RebuildGivenUp(ILogger logger, string worker, string circuits, string problem);
    }
}
