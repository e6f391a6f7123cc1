using TorBalancer.Balancing;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Support;

/// <summary>Selectors over all modes with chance that repeats.</summary>
internal static class SelectorOf
{
    public static WorkerSelector Pool(WorkerPool pool, int seed = 1, SelectionOptions options = default, TimeProvider? time = null) =>
        new(pool, WorkerSelector.CreatePolicies(new SeededRandom(seed)), options, time ?? TimeProvider.System, new SeededRandom(seed));
}
