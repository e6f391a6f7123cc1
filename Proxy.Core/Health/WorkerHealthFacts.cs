namespace TorBalancer.Health;

/// <summary>What health knows of a worker at one moment, beyond the operational state that the pool shows; immutable.</summary>
/// <param name="Failures">Failures that count since it was last healthy; ambiguous ones are halves.</param>
/// <param name="BackoffIndex">Which wait of [Health] RecoveryBackoff it is at, from 0; null when it is not in recovery.</param>
/// <param name="NextRetry">Until the next attempt; null when it is not in recovery, and while a managed worker starts.</param>
internal readonly record struct WorkerHealthFacts(double Failures, int? BackoffIndex = null, TimeSpan? NextRetry = null);
