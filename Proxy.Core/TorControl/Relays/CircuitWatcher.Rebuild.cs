using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Relays;

// Replacing a broken circuit: a new one is built first, and only then what used the old one moves on.
internal sealed partial class CircuitWatcher
{
    /// <summary>More at a time would be a storm: what fails so widely is not one circuit's fault.</summary>
    private const int MaxRebuilds = 8;

    /// <summary>tor chooses at random, and may choose the very relay that is gone.</summary>
    private const int MaxAttempts = 3;

    /// <summary>Under the lock.</summary>
    private readonly List<PendingRebuild> _rebuilds = [];

    /// <summary>Lets tor build a circuit of its own choice. When it cannot even begin, the old one stays in use.</summary>
    private Task BeginRebuildAsync(ControlConnection control, BrokenCircuit broken, CancellationToken cancellationToken) =>
        AttemptRebuildAsync(control, broken, 1, _time.GetTimestamp(), cancellationToken);

    private async Task AttemptRebuildAsync(ControlConnection control, BrokenCircuit broken, int attempt, long begun, CancellationToken cancellationToken)
    {
        bool full;
        lock (_lock)
            full = _rebuilds.Count >= MaxRebuilds;
        if (full)
        {
            Keep(broken, "too many others are being replaced");
            return;
        }

        try
        {
            string id = await control.ExtendNewCircuitAsync([], null, cancellationToken);
            var pending = new PendingRebuild(broken, id, attempt, begun);
            lock (_lock)
            {
                pending.ObserveEarlier(_table.FindCircuit(id));
                _rebuilds.Add(pending);
            }
        }
        catch (Exception e) when (e is ControlReplyException or ControlProtocolException or TimeoutException)
        {
            Keep(broken, e.Message);
        }
    }

    private void ObserveRebuilds_NeedsLock(ControlEvent message)
    {
        if (message is not CircuitEvent { Circuit: var circuit })
            return;
        foreach (var pending in _rebuilds)
        {
            if (pending.Observe(circuit))
                _work.Writer.TryWrite(Work.Wake.Up);
        }
    }

    /// <summary>Carries out what has been decided since: move on, or stay.</summary>
    private async Task FinishRebuildsAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        PendingRebuild[] decided;
        lock (_lock)
        {
            decided = [.. _rebuilds.Where(one => one.Progress != RebuildProgress.Building || UntilGivenUp(one) <= TimeSpan.Zero)];
            _rebuilds.RemoveAll(one => Array.IndexOf(decided, one) >= 0);
        }

        foreach (var one in decided)
        {
            if (one.Progress == RebuildProgress.Built)
                await ReplaceAsync(control, one.Broken, cancellationToken);
            else if (one.Progress == RebuildProgress.Failed && one.Attempt < MaxAttempts && UntilGivenUp(one) > TimeSpan.Zero)
                await AttemptRebuildAsync(control, one.Broken, one.Attempt + 1, one.Begun, cancellationToken);
            else
                Keep(one.Broken, one.Progress == RebuildProgress.Failed ? $"circuit {one.CircuitId} could not be built" : $"circuit {one.CircuitId} was not built in time");
        }
    }

    /// <summary>From now on the token gets another circuit. The old one is closed if nothing is on it: open streams live on.</summary>
    private async Task ReplaceAsync(ControlConnection control, BrokenCircuit broken, CancellationToken cancellationToken)
    {
        long epoch;
        lock (_lock)
            epoch = _rebuilder.Replaced(broken);
        Log.CircuitBroken(_logger, WorkerId, string.Join(',', broken.Circuits), broken.Failures, epoch);
        foreach (string circuit in broken.Circuits)
            await TryCloseAsync(control, circuit, cancellationToken);
    }

    private void Keep(BrokenCircuit broken, string problem)
    {
        lock (_lock)
            _rebuilder.Kept(broken);
        Log.RebuildGivenUp(_logger, WorkerId, string.Join(',', broken.Circuits), problem);
    }

    private TimeSpan UntilGivenUp(PendingRebuild pending) => _timing.RebuildTimeout - _time.GetElapsedTime(pending.Begun);

    private TimeSpan? UntilNextGivenUp()
    {
        lock (_lock)
            return _rebuilds.Count == 0 ? null : _rebuilds.Min(UntilGivenUp);
    }
}
