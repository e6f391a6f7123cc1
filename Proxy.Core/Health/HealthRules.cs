using TorBalancer.Configuration.Options;

namespace TorBalancer.Health;

/// <summary>What the state machine goes by; see <see cref="HealthOptions"/> for ranges.</summary>
/// <param name="FailureThreshold">Counted failures that make a suspect worker dead.</param>
/// <param name="SuccessThreshold">Successes in a row that make a worker healthy again.</param>
/// <param name="SuspectWindow">The longest that a worker stays suspect.</param>
/// <param name="Backoff">Waits before recovery attempts; at least one.</param>
internal sealed record HealthRules(int FailureThreshold, int SuccessThreshold, TimeSpan SuspectWindow, IReadOnlyList<TimeSpan> Backoff)
{
    public static HealthRules From(HealthOptions options) =>
        new(options.FailureThreshold, options.SuccessThreshold, options.SuspectWindow, [.. options.RecoveryBackoff]);
}
