using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;
using TorBalancer.Health.Commands;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.DependencyInjection;

/// <summary>Health: the monitor is the outcome sink of all connections; prober and alerts wait to be started.</summary>
internal static class HealthServiceCollectionExtensions
{
    public static IServiceCollection AddHealth(this IServiceCollection services)
    {
        services.AddSingleton<HealthEvents>();
        services.AddSingleton(static provider => new UplinkWatch(
            new TcpUplinkCheck(Service(provider), [.. Options(provider).Health.Connectivity], Options(provider).Health.StepTimeout, Time(provider)),
            Options(provider).Health.CheckInterval / 4, Time(provider)));
        services.AddSingleton(static provider => new HealthMonitor(
            provider.GetRequiredService<WorkerPool>(), Options(provider).Health, provider.GetRequiredService<HealthEvents>(),
            Time(provider), provider.GetRequiredService<ILogger<HealthMonitor>>(),
            provider.GetRequiredService<IWorkerConnections>(),
            Options(provider).Health.Connectivity.Count > 0 ? provider.GetRequiredService<UplinkWatch>() : null));
        services.AddSingleton<IOutcomeSink>(static provider => provider.GetRequiredService<HealthMonitor>());
        services.AddSingleton(static provider => new WorkerLinks(Options(provider).Workers));
        services.AddSingleton(static provider => new CommandRunner(Time(provider)));
        // Not over a connection that stood ready: whether the worker still accepts any is part of the question.
        services.AddSingleton(static provider => new CircuitProbe(
            new WorkerDialer(
                Service(provider), Options(provider).Connect, Time(provider), pipelining: provider.GetRequiredService<SocksPipelining>()),
            Time(provider), provider.GetRequiredService<LinkDialer>(), Isolates(Options(provider))));
        services.AddSingleton(static provider => new WorkerSteps(
            Service(provider), provider.GetRequiredService<CircuitProbe>(), provider.GetRequiredService<ITorFacts>(), Options(provider).Health,
            Time(provider), provider.GetRequiredService<ILogger<WorkerSteps>>(),
            Options(provider).Route is { Clearnet: ClearnetRoute.Socks, Rules.Count: 0 } ? null : new LinkSteps(provider.GetRequiredService<CommandRunner>(), Time(provider)),
            provider.GetRequiredService<SocksPipelining>()));
        services.AddSingleton<IProbeSequence>(static provider => new WorkerProbeSequence(
            provider.GetRequiredService<WorkerLinks>(), provider.GetRequiredService<WorkerSteps>(), provider.GetRequiredService<CommandRunner>(),
            Options(provider).Health, Time(provider), provider.GetRequiredService<ILogger<WorkerProbeSequence>>()));
        services.AddSingleton(static provider => new HealthProber(
            provider.GetRequiredService<WorkerPool>(), provider.GetRequiredService<HealthMonitor>(), provider.GetRequiredService<IProbeSequence>(),
            Options(provider).Health, provider.GetRequiredService<IRandomSource>(), Time(provider), provider.GetRequiredService<ILogger<HealthProber>>()));
        services.AddSingleton(static provider => new AlertDispatcher(
            provider.GetRequiredService<HealthEvents>(), Sinks(provider), Options(provider).Alerts.MinInterval, Time(provider)));
        return services;
    }

    private static bool Isolates(TorBalancerOptions options) =>
        options.Balancing.Isolation != IsolationMode.None || options.Listeners.Any(static listener => listener.Isolation is not (null or IsolationMode.None));

    private static List<IAlertSink> Sinks(IServiceProvider provider)
    {
        var options = Options(provider).Alerts;
        var sinks = new List<IAlertSink>();
        if (options.Webhook.Length > 0)
            sinks.Add(new WebhookAlertSink(options.Webhook, Time(provider), provider.GetRequiredService<ILogger<WebhookAlertSink>>()));
        if (options.Command.Length > 0)
            sinks.Add(new CommandAlertSink(options.Command, provider.GetRequiredService<CommandRunner>(), provider.GetRequiredService<ILogger<CommandAlertSink>>()));
        return sinks;
    }

    /// <summary>Probes go on while clients wait for descriptors.</summary>
    private static ServiceTransport Service(IServiceProvider provider) => new(provider.GetRequiredService<ITransport>());

    private static TimeProvider Time(IServiceProvider provider) => provider.GetRequiredService<TimeProvider>();

    private static TorBalancerOptions Options(IServiceProvider provider) => provider.GetRequiredService<TorBalancerOptions>();
}
