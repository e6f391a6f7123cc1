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
                var instances = new List<InstanceWatch>();
                foreach (var instance in options.Instances.Where(one => one.Service == service.Name))
                {
                    instances.Add(Watch(service, instance, firstFetch));
                    firstFetch += PublishTiming.Public.Stagger;
                }

                services._services.Add(new BalancedService(service, KeyFile.Load(service.Key), instances));
            }

            var addresses = services.All.ToDictionary(static one => one.Options.Name, static one => one.Identity.Address);
            string[] problems = [.. ServiceAddresses.ProblemsOf(options, addresses)];
            return problems.Length == 0 ? services : throw new StartupException(string.Join("\ntorbalancer: ", problems));
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

    private static InstanceWatch Watch(OnionServiceOptions service, InstanceOptions instance, DateTimeOffset firstFetch) =>
        OnionServiceAddress.TryParse(instance.Address, out var address, out string? error)
            ? new InstanceWatch(
                service.Name, new InstanceState(instance.Name, address, instance.Weight), instance.HealthCheck, firstFetch)
            : throw new StartupException($"[Instance:{instance.FullName}] Address: {error}");
}
