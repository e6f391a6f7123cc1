namespace TorBalancer.TorControl.Relays;

/// <summary>Times that no user needs to change, and tests do.</summary>
internal sealed record RelayWatchTiming
{
    public static readonly RelayWatchTiming Default = new();

    /// <summary>
    /// Between two changes of ExcludeExitNodes on one worker: each makes tor give up its unused circuits. Only emptying the
    /// list because tor finds no path any more does not wait.
    /// </summary>
    public TimeSpan MinChangeInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// 0 to 1, by chance: makes <see cref="MinChangeInterval"/> up to a sixth longer, so that workers do not change in step.
    /// </summary>
    public Func<double> Jitter { get; init; } = static () => 0;

    /// <summary>Waits before the control port is tried again; the last one repeats.</summary>
    public IReadOnlyList<TimeSpan> Reconnect { get; init; } =
    [
        TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(16),
        TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60),
    ];

    /// <summary>A circuit that is to replace a broken one and is not built by then has failed; tor itself waits a minute at most.</summary>
    public TimeSpan RebuildTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>What the counts of <see cref="WorkerTorFacts"/> span.</summary>
    public TimeSpan FactsWindow { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A consensus is asked for again after this long; it changes hourly.</summary>
    public TimeSpan ConsensusLifetime { get; init; } = TimeSpan.FromHours(1);
}
