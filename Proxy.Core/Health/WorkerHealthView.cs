using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>A copy of what health knows of a worker, for views.</summary>
/// <param name="Since">How long it has been in this state.</param>
/// <param name="Failures">Failures that count since it was last healthy; ambiguous ones are halves.</param>
/// <param name="Successes">Successes in a row, while suspect or in recovery.</param>
/// <param name="BackoffIndex">Which wait of RecoveryBackoff it is at, from 0.</param>
/// <param name="NextRetry">In recovery: how long until the next attempt; null otherwise and while a managed worker starts.</param>
/// <param name="IsFrozen">All workers fail at once: nobody is declared dead.</param>
/// <param name="Probes">The latest probes, the newest last.</param>
public sealed record WorkerHealthView(
    WorkerOperationalState State, string Reason, TimeSpan Since, double Failures, int Successes, int BackoffIndex, TimeSpan? NextRetry,
    TimeSpan SinceLastAttempt, bool IsFrozen, IReadOnlyList<ProbeReport> Probes);
