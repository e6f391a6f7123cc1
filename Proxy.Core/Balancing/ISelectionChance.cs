using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>
/// Where a selection leaves something open: it is decided, for a connection, or weighed, for somebody who asks. So both go through the
/// same steps.
/// </summary>
internal interface ISelectionChance
{
    /// <inheritdoc cref="IWorkerSelectionPolicy.Pick(WorkerSnapshot, in SelectionContext, out int)"/>
    WorkerState? Pick(IWorkerSelectionPolicy policy, WorkerSnapshot snapshot, in SelectionContext context, out int active);

    /// <summary>True with this probability, in steps of a thousandth (rounded up).</summary>
    bool Happens(double probability);
}

/// <summary>
/// Decides: the mode gives its turn away, and the dice fall. A value type, so that the hot path pays nothing for the choice.
/// </summary>
internal readonly struct DecidedChance(IRandomSource random) : ISelectionChance
{
    /// <summary>What probabilities are counted in.</summary>
    public const int Steps = 1000;

    public WorkerState? Pick(IWorkerSelectionPolicy policy, WorkerSnapshot snapshot, in SelectionContext context, out int active) =>
        policy.Pick(snapshot, context, out active);

    public bool Happens(double probability) => random.Next(Steps) < probability * Steps;
}
