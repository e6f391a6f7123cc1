using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Reload;
using TorBalancer.Connecting;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Keys;
using TorBalancer.Daemon.Systemd;
using TorBalancer.Health;
using TorBalancer.Routing;
using TorBalancer.Server;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Daemon.Takeover;

/// <summary>How the host is told of what can be handed over.</summary>
internal static class TakeoverServices
{
    /// <summary>A hosted service that has something for who takes over.</summary>
    public static IServiceCollection AddHandedOver<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceCollection services)
        where T : class, IHostedService, IHandOverPart => services
        .AddSingleton<T>()
        .AddHostedService(static provider => provider.GetRequiredService<T>())
        .AddSingleton<IHandOverPart>(static provider => provider.GetRequiredService<T>());

    /// <summary>Another process may take over.</summary>
    public static IServiceCollection AddHandOver(this IServiceCollection services) => services.AddSingleton(
        static provider => new HandOver(
            new HandOverContents(
                provider.GetRequiredService<ProxyServer>(), provider.GetRequiredService<SessionTable>(),
                provider.GetRequiredService<VirtualNames>(), provider.GetRequiredService<RelayWatchService>(),
                provider.GetRequiredService<HealthMonitor>(), provider.GetRequiredService<IsolationKeyNotice>(),
                provider.GetServices<IHandOverPart>(),
                () => provider.GetRequiredService<WorkersHostedService>().Offer()),
            provider.GetRequiredService<ConfigurationReloader>(), provider.GetRequiredService<Successor>(),
            provider.GetRequiredService<SystemdNotifier>(), provider.GetRequiredService<IHostApplicationLifetime>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<HandOver>>()));
}
