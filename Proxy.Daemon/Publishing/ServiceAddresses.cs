using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Daemon.Publishing;

/// <summary>What a configuration may not say of addresses, and only the keys tell.</summary>
internal static class ServiceAddresses
{
    /// <summary>Two services with one key, and instances with the address of a service; each a sentence that names its section.</summary>
    /// <param name="addresses">By the names of services; those whose keys could not be read are absent.</param>
    public static IEnumerable<string> ProblemsOf(
        TorBalancerOptions options, IReadOnlyDictionary<string, OnionServiceAddress> addresses)
    {
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var service in options.OnionServices)
        {
            if (addresses.TryGetValue(service.Name, out var address) && !owners.TryAdd(address.Label, service.Name))
            {
                yield return $"[OnionService:{service.Name}] Key is that of [OnionService:{owners[address.Label]}] in another file "
                    + $"({address}): two services have two keys";
            }
        }

        foreach (var instance in options.Instances)
        {
            if (owners.TryGetValue(instance.Address, out string? owner))
            {
                yield return $"[Instance:{instance.FullName}] Address is the address of [OnionService:{owner}] itself: "
                    + "each instance has an address of its own, and no service's key is on one of them";
            }
        }
    }
}
