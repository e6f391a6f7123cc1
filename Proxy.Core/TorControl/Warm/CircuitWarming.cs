using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Workers;

namespace TorBalancer.TorControl.Warm;

/// <summary>Makes the warmer of each worker.</summary>
/// <param name="isUplinkFrozen">Our own way to the network seems to be away: circuits would fail for nobody's good.</param>
internal sealed class CircuitWarming(
    Live<CircuitsOptions> options, Func<bool> isUplinkFrozen, TimeProvider time, ILogger<CircuitWarming> logger)
{
    private readonly ConcurrentDictionary<string, WarmAccount> _accounts = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>What they go by.</summary>
    public Live<CircuitsOptions> Options => options;

    /// <param name="tor">Why this tor cannot build circuits now; null: it can.</param>
    public CircuitWarmer Create(WorkerState worker, Func<string?> tor) => new(
        worker.Id, options, _accounts.GetOrAdd(worker.Id, static (_, clock) => new WarmAccount(clock), time),
        () => !worker.IsEligible ? "the worker carries nothing now" : isUplinkFrozen() ? "the uplink is away" : tor(), time, logger);
}
