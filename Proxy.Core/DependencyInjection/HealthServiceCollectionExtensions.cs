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
    public static IServiceCollection AddHealth(this IServiceCollection services) => services
        .AddSingleton<HealthEvents>()
        .AddSingleton(static provider =>
        {
            var health = provider.Get<Live<HealthOptions>>();
            var check = new TcpUplinkCheck(Service(provider), health, provider.Get<TimeProvider>());
            return new UplinkWatch(check, health.Select(static options => options.CheckInterval / 4), provider.Get<TimeProvider>())
            {
                IsWanted = health.Select(static options => options.Connectivity.Count > 0),
            };
        })
        .AddSingleton(static provider => new HealthMonitor(
            provider.Get<WorkerPool>(), provider.Get<Live<HealthOptions>>(), provider.Get<HealthEvents>(),
            provider.Get<IWorkerConnections>(), provider.Get<UplinkWatch>(), provider.Get<TimeProvider>(),
            provider.Get<ILogger<HealthMonitor>>()))
        .AddSingleton<IOutcomeSink>(static provider => provider.Get<HealthMonitor>())
        .AddSingleton(static provider => new WorkerHosts(provider.Get<TorBalancerOptions>().Workers))
        .AddSingleton<CommandRunner>()
        .AddSingleton(static provider =>
        {
            // No preconnected socket: whether the worker still accepts any is part of the question.
            var dialer = new WorkerDialer(
                Service(provider), provider.Get<Live<ConnectOptions>>(), provider.Get<TimeProvider>(),
                pipelining: provider.Get<SocksPipelining>(), onions: provider.Get<UnreadyOnionStreams>());
            return new CircuitProbe(
                dialer, provider.Get<TimeProvider>(), provider.Get<LinkDialer>(),
                provider.Get<LiveOptions>().All.Select(Isolates));
        })
        .AddSingleton(static provider => new WorkerSteps(
            Service(provider), provider.Get<CircuitProbe>(), provider.Get<Live<HealthOptions>>(),
            new LinkSteps(provider.Get<CommandRunner>(), provider.Get<TimeProvider>()), provider.Get<SocksPipelining>(),
            provider.Get<Live<RouteOptions>>().Select(TakesLinks)))
        .AddSingleton<ControlSteps>()
        .AddSingleton<WorkerProbeSequence>()
        .AddSingleton<IProbeSequence>(static provider => provider.Get<WorkerProbeSequence>())
        .AddSingleton<HealthProber>()
        .AddSingleton(static provider =>
        {
            var options = provider.Get<Live<AlertsOptions>>();
            var dispatcher = new AlertDispatcher(
                provider.Get<HealthEvents>(), Sinks(provider, options.Value), options.Select(static alerts => alerts.MinInterval),
                provider.Get<TimeProvider>());

            // Any change of the configuration is told here; reloads follow each other.
            var last = options.Value;
            options.Follow(next =>
            {
                if (next.Webhook != last.Webhook || next.Command != last.Command)
                    dispatcher.Replace(Sinks(provider, next));
                last = next;
            });
            return dispatcher;
        });

    private static bool Isolates(TorBalancerOptions options) =>
        options.Balancing.Isolation != IsolationMode.None
            || options.Listeners.Any(static listener => listener.Isolation is not (null or IsolationMode.None));

    private static bool TakesLinks(RouteOptions options) => options is not { Clearnet: ClearnetRoute.Socks, Rules.Count: 0 };

    private static List<IAlertSink> Sinks(IServiceProvider provider, AlertsOptions options)
    {
        var sinks = new List<IAlertSink>();
        if (options.Webhook.Length > 0)
            sinks.Add(new WebhookAlertSink(options.Webhook, provider.Get<TimeProvider>(), provider.Get<ILogger<WebhookAlertSink>>()));
        if (options.Command.Length > 0)
            sinks.Add(new CommandAlertSink(options.Command, provider.Get<CommandRunner>(), provider.Get<ILogger<CommandAlertSink>>()));
        return sinks;
    }

    /// <summary>Probes go on while clients wait for descriptors.</summary>
    private static ServiceTransport Service(IServiceProvider provider) => new(provider.Get<ITransport>());
}
