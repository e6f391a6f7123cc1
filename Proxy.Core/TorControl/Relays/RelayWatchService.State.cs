namespace TorBalancer.TorControl.Relays;

// What a daemon that takes over needs to know of relays.
internal sealed partial class RelayWatchService
{
    private Dictionary<string, ExclusionState> _adopted = [];

    /// <summary>What is avoided and which tokens go under other passwords.</summary>
    public RelayWatchState Export() => new(_epochs.Export(), [.. All.Select(static watcher => watcher.Export())]);

    /// <summary>Goes on with what another process of ours knew. Before <see cref="Start"/>.</summary>
    public void Adopt(RelayWatchState state)
    {
        _epochs.Adopt(state.Epochs);
        _adopted = state.Exclusions.ToDictionary(static one => one.WorkerId, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Ends all watching and leaves the workers' tors to another process, as they are. A second call does nothing.</summary>
    public Task LeaveAsync() => EndAsync(static watcher => watcher.LeaveAsync());

    /// <summary>Once: a worker that comes back under the same id later is another one.</summary>
    private ExclusionState? TakeAdopted(string workerId) => _adopted.Remove(workerId, out var state) ? state : null;
}

/// <param name="Epochs">Tokens whose circuits were given up.</param>
/// <param name="Exclusions">What each worker avoids.</param>
internal sealed record RelayWatchState(IReadOnlyList<CircuitEpochState> Epochs, IReadOnlyList<ExclusionState> Exclusions);
