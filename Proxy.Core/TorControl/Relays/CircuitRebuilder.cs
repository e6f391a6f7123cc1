namespace TorBalancer.TorControl.Relays;

/// <summary>Failures in a row of what uses one token; for streams without one, of one circuit.</summary>
internal sealed class FailureRun(string key)
{
    private int _rebuilding;

    public string Key { get; } = key;

    public int Failures { get; set; }

    public int Certain { get; set; }

    public HashSet<string> Destinations { get; } = new(StringComparer.Ordinal);

    public List<string> Circuits { get; } = [];

    /// <summary>True for one caller until <see cref="EndRebuild"/>: one rebuild at a time.</summary>
    public bool TryBeginRebuild() => Interlocked.CompareExchange(ref _rebuilding, 1, 0) == 0;

    public bool IsRebuilding => Volatile.Read(ref _rebuilding) != 0;

    public void EndRebuild() => Volatile.Write(ref _rebuilding, 0);
}

/// <summary>A circuit that counts as broken: the next request of what used it takes a new one.</summary>
/// <param name="Circuits">To be closed if unused.</param>
/// <param name="Epoch">The token's new epoch; 0: it had no token.</param>
internal sealed record BrokenCircuit(FailureRun Run, IReadOnlyList<string> Circuits, int Failures, long Epoch);

/// <summary>
/// Tells a broken circuit from a bad request: <paramref name="threshold"/> failures in a row, which the circuit or its
/// exit is to blame for, or which several destinations share. Not for several threads.
/// </summary>
internal sealed class CircuitRebuilder(string workerId, CircuitEpochs epochs, int threshold)
{
    private const int MaxRuns = 1024;
    private const int MaxCircuits = 4;
    private const int MaxDestinations = 8;
    private const int MinDestinations = 2;

    private readonly Dictionary<string, FailureRun> _runs = new(StringComparer.Ordinal);

    /// <summary>Rebuilds begun so far.</summary>
    public long Rebuilds { get; private set; }

    public int RunCount => _runs.Count;

    /// <summary>Counts; the circuit when it has just become broken. The caller closes it and calls <see cref="Finished"/>.</summary>
    public BrokenCircuit? Observe(in StreamVerdict verdict)
    {
        string? password = verdict.Password;

        // Late news of a circuit that was given up already.
        if (password is not null && epochs.IsRetired(workerId, password))
            return null;
        string key = password is null ? "circuit " + verdict.CircuitKey : "token " + password;
        if (verdict.Fault == StreamFault.None)
        {
            if (_runs.TryGetValue(key, out var good) && !good.IsRebuilding)
                _runs.Remove(key);
            return null;
        }

        if (!_runs.TryGetValue(key, out var run))
        {
            if (_runs.Count >= MaxRuns)
                _runs.Remove(_runs.Keys.First());
            _runs.Add(key, run = new FailureRun(key));
        }

        Count(run, verdict);
        if (run.Failures < threshold || (run.Certain < threshold && run.Destinations.Count < MinDestinations) || !run.TryBeginRebuild())
            return null;
        Rebuilds++;
        return new BrokenCircuit(run, [.. run.Circuits], run.Failures, password is null ? 0 : epochs.Advance(workerId, password));
    }

    /// <summary>The rebuild is through, well or not: counting begins anew.</summary>
    public void Finished(BrokenCircuit broken)
    {
        if (_runs.TryGetValue(broken.Run.Key, out var run) && run == broken.Run)
            _runs.Remove(broken.Run.Key);
        broken.Run.EndRebuild();
    }

    public void Clear() => _runs.Clear();

    private static void Count(FailureRun run, in StreamVerdict verdict)
    {
        run.Failures++;
        if (verdict.Fault != StreamFault.Ambiguous)
            run.Certain++;
        if (run.Destinations.Count < MaxDestinations)
            run.Destinations.Add(verdict.Destination);
        if (!run.Circuits.Contains(verdict.CircuitId))
        {
            if (run.Circuits.Count == MaxCircuits)
                run.Circuits.RemoveAt(0);
            run.Circuits.Add(verdict.CircuitId);
        }
    }
}
