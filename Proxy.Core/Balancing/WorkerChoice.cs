using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>The only workers for somebody, by their ids and countries; immutable.</summary>
/// <param name="workers">Empty: all.</param>
/// <param name="countries">Empty: all.</param>
internal sealed class WorkerChoice(string[] workers, string[] countries)
{
    public bool Admits(WorkerModel worker)
    {
        if (countries.Length > 0 && Array.IndexOf(countries, worker.Country) < 0)
            return false;
        if (workers.Length == 0)
            return true;
        foreach (string id in workers)
        {
            if (id.Equals(worker.Id, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}
