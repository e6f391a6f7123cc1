using TorBalancer.Configuration.Options;

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

/// <summary>A circuit that counts as broken. It stays in use until another is built in its place.</summary>
/// <param name="Circuits">To be closed then, if unused.</param>
/// <param name="Password">What its streams came with; null: it has no token.</param>
internal sealed record BrokenCircuit(FailureRun Run, IReadOnlyList<string> Circuits, int Failures, string? Password);

/// <summary>
/// Tells a broken circuit from a bad request: <paramref name="threshold"/> failures in a row, which the circuit or its
/// exit is to blame for, or which several destinations share. Not for several threads.
/// </summary>
internal sealed class CircuitRebuilder(string workerId, CircuitEpochs epochs, Live<int> threshold)
{
    private const int MaxRuns = 1024;
    private const int MaxCircuits = 4;
    private const int MaxDestinations = 8;
    private const int MinDestinations = 2;

    private readonly Dictionary<string, FailureRun> _runs = new(StringComparer.Ordinal);

    /// <summary>Circuits that were replaced so far.</summary>
    public long Rebuilds { get; private set; }

    /// <summary>
    /// Counts; the circuit when it has just become broken. The caller has another built and calls <see cref="Replaced"/>, or
    /// <see cref="Kept"/> when that fails.
    /// </summary>
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
        int enough = threshold.Value;
        if (run.Failures < enough || (run.Certain < enough && run.Destinations.Count < MinDestinations) || !run.TryBeginRebuild())
            return null;
        return new BrokenCircuit(run, [.. run.Circuits], run.Failures, password);
    }

    /// <summary>Another circuit is there: from now on the token goes under a new password. Its epoch; 0: it had no token.</summary>
    public long Replaced(BrokenCircuit broken)
    {
        Finish(broken);
        Rebuilds++;
        return broken.Password is { } password ? epochs.Advance(workerId, password) : 0;
    }

    /// <summary>There is no other: what used the circuit goes on with it, and counting begins anew.</summary>
    public void Kept(BrokenCircuit broken) => Finish(broken);

    private void Finish(BrokenCircuit broken)
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
