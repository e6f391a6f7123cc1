using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Publishing;

namespace TorBalancer.Daemon.Publishing;

/// <summary>The services of a configuration, with their keys read.</summary>
internal sealed class PublisherServices : IDisposable
{
    private readonly List<BalancedService> _services = [];

    public IReadOnlyList<BalancedService> All => _services;

    /// <summary>Reads all keys. Throws <see cref="StartupException"/> when one cannot be used.</summary>
    /// <param name="now">When the publisher begins.</param>
    public static PublisherServices Load(TorBalancerOptions options, DateTimeOffset now)
    {
        var services = new PublisherServices();
        try
        {
            // The first fetches do not all come at once.
            var firstFetch = now;
            foreach (var service in options.OnionServices)
            {
                var key = KeyFile.Load(service.Key);
                var instances = new List<InstanceWatch>();
                foreach (var instance in options.Instances.Where(one => one.Service == service.Name))
                {
                    instances.Add(Watch(service, instance, key, firstFetch));
                    firstFetch += PublishTiming.Public.Stagger;
                }

                services._services.Add(new BalancedService(service, key, instances));
            }

            return services;
        }
        catch (Exception failure) when (failure is KeyFileException or OnionCryptoException)
        {
            services.Dispose();
            throw new StartupException(failure.Message, failure);
        }
        catch (StartupException)
        {
            services.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var service in _services)
            service.Identity.Dispose();
    }

    private static InstanceWatch Watch(OnionServiceOptions service, InstanceOptions instance, IdentityKey key, DateTimeOffset firstFetch)
    {
        if (!OnionServiceAddress.TryParse(instance.Address, out var address, out string? error))
            throw new StartupException($"[Instance:{instance.FullName}] Address: {error}");
        if (address == key.Address)
        {
            throw new StartupException(
                $"[Instance:{instance.FullName}] Address is the address of [OnionService:{service.Name}] itself: "
                    + "each instance has an address of its own, and the service's key is on none of them");
        }

        return new InstanceWatch(
            service.Name, new InstanceState(instance.Name, address, instance.Weight), instance.HealthCheck, firstFetch);
    }
}
