using TorBalancer.Configuration.Options;

namespace TorBalancer.Connecting;

/// <summary>How often, how long and how soon a connect tries another worker.</summary>
/// <param name="Options">[Connect]: attempts and times.</param>
/// <param name="Budget">What all connections together may retry.</param>
/// <param name="Hedge">When a second worker is asked beside a slow one.</param>
internal sealed record RetryPolicy(Live<ConnectOptions> Options, RetryBudget Budget, HedgeDelay Hedge);
