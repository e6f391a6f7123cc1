using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Admin.Explain;
using TorBalancer.Admin.Fetch;
using TorBalancer.Admin.Metrics;
using TorBalancer.Admin.Reload;
using TorBalancer.Authentication;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reload;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Protocols;
using TorBalancer.Routing;
using TorBalancer.Server;
using TorBalancer.Server.Limits;
using TorBalancer.Server.Naming;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Warm;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Workers;

namespace TorBalancer.DependencyInjection;

/// <summary>
/// Puts the stages together, one method for each, from below to above. What a stage is made of stands in its constructor; only what
/// cannot be told by its type is made here.
/// </summary>
internal static class ProxyServiceCollectionExtensions
{
    /// <summary>Everything that a running proxy needs, for these options.</summary>
    /// <param name="isolationKey">What tokens are made with; null: a key of this proxy alone.</param>
    /// <param name="stateDirectory">What must survive a kill is kept in there; null: nothing is.</param>
    public static IServiceCollection AddProxy(
        this IServiceCollection services, TorBalancerOptions options, string? stateDirectory = null, IsolationKey? isolationKey = null) =>
        services
        .AddSingleton(isolationKey ?? new IsolationKey())
        .AddOptions(options)
        .AddTransport()
        .AddWorkers()
        .AddRelays(stateDirectory is null ? null : Path.Combine(stateDirectory, "exclusions"))
        .AddConnecting()
        .AddHealth()
        .AddServer()
        .AddAdmin();

    /// <summary>
    /// Each section by itself: a part of the proxy sees those that are about it, as they are now. The options themselves are those of the
    /// start, for what is read then and not again.
    /// </summary>
    private static IServiceCollection AddOptions(this IServiceCollection services, TorBalancerOptions options)
    {
        var live = new LiveOptions(options);
        return services
            .AddSingleton(options)
            .AddSingleton(options.Admin)
            .AddSingleton(live)
            .AddSingleton<Live<AlertsOptions>>(live.Alerts)
            .AddSingleton<Live<BalancingOptions>>(live.Balancing)
            .AddSingleton<Live<BlacklistOptions>>(live.Blacklist)
            .AddSingleton<Live<CircuitsOptions>>(live.Circuits)
            .AddSingleton<Live<ConnectOptions>>(live.Connect)
            .AddSingleton<Live<HealthOptions>>(live.Health)
            .AddSingleton<Live<LogOptions>>(live.Log)
            .AddSingleton<Live<ReadinessOptions>>(live.Readiness)
            .AddSingleton<Live<RouteOptions>>(live.Route)
            .AddSingleton<Live<TunnelOptions>>(live.Tunnel)
            .AddSingleton(TimeProvider.System);
    }

    private static IServiceCollection AddTransport(this IServiceCollection services) => services
        .AddSingleton(
            static _ => OperatingSystem.IsLinux() ? new DescriptorBudget(OpenDescriptors.OfProcess()) : DescriptorBudget.Unlimited())
        .AddSingleton(static _ => MemoryRoom.OfProcess())
        .AddSingleton<ITransport>(static provider => EngineSelection.Create(
            provider.Get<TorBalancerOptions>(), provider.Get<DescriptorBudget>(), provider.Get<TimeProvider>(),
            provider.Get<ILoggerFactory>().CreateLogger("TorBalancer.Engine")));

    private static IServiceCollection AddWorkers(this IServiceCollection services) => services
        .AddSingleton<WorkerPool>()
        .AddSingleton<IRandomSource, SystemRandomSource>()
        .AddSingleton(static provider =>
        {
            var random = provider.Get<IRandomSource>();
            return new WorkerSelector(
                provider.Get<WorkerPool>(), WorkerSelector.CreatePolicies(random),
                provider.Get<Live<BalancingOptions>>().Select(static balancing => new SelectionOptions(
                    balancing.PassOver, balancing.Panic == PanicMode.TryAll)),
                provider.Get<TimeProvider>(), random, provider.Get<DiscoveryState>());
        });

    private static IServiceCollection AddRelays(this IServiceCollection services, string? directory) => services
        .AddSingleton(provider =>
        {
            const int steps = 1 << 20;
            var random = provider.Get<IRandomSource>();
            return new RelayWatchService(
                provider.Get<WorkerPool>(), provider.Get<Live<BlacklistOptions>>(), () => random.Next(steps) / (double)steps,
                provider.Get<TimeProvider>(), provider.Get<ILogger<RelayWatchService>>(), directory: new ExclusionDirectory(directory))
            {
                Warming = provider.Get<CircuitWarming>(),
            };
        })
        .AddSingleton(static provider => new CircuitWarming(
            provider.Get<Live<CircuitsOptions>>(), IsUplinkFrozen(provider), provider.Get<TimeProvider>(),
            provider.Get<ILogger<CircuitWarming>>()))
        .AddSingleton<ICircuitEpochs>(static provider => provider.Get<RelayWatchService>())
        .AddSingleton<ITorFacts>(static provider => provider.Get<RelayWatchService>())
        .AddSingleton<ITorVersions>(static provider => provider.Get<RelayWatchService>())
        .AddSingleton<ICircuitJoin>(static provider => provider.Get<RelayWatchService>());

    /// <summary>The monitor needs who asks, so it is had with the first question; in a daemon that stops nothing is launched.</summary>
    private static Func<bool> IsUplinkFrozen(IServiceProvider provider)
    {
        HealthMonitor? health = null;
        return () =>
        {
            try
            {
                return (health ??= provider.Get<HealthMonitor>()).IsUplinkFrozen;
            }
            catch (ObjectDisposedException)
            {
                return true;
            }
        };
    }

    private static IServiceCollection AddConnecting(this IServiceCollection services) => services
        .AddSingleton<IsolationTokenFactory>()
        .AddSingleton<SessionTable>()
        .AddSingleton<RouteTable>()
        .AddSingleton(static provider => new VirtualNames(provider.Get<TorBalancerOptions>().Dns, provider.Get<TimeProvider>()))
        .AddSingleton<ConnectPlanner>()
        .AddSingleton(static provider => new SocksPipelining(
            provider.Get<ITransport>(), provider.Get<ILogger<SocksPipelining>>(), provider.Get<TimeProvider>(),
            provider.Get<Live<ConnectOptions>>().Select(static connect => connect.WorkerTimeout)))
        .AddSingleton<UnreadyOnionStreams>()
        .AddSingleton<PreconnectPool>()
        .AddSingleton<WorkerDialer>()
        .AddSingleton<LinkDnsClient>()
        .AddSingleton<LinkResolver>()
        .AddSingleton<LinkDialer>()
        .AddSingleton<StreamDialer>()
        .AddSingleton(static provider => new RetryBudget(
            provider.Get<Live<ConnectOptions>>().Select(static connect => new RetryShare(connect.RetryBudget, connect.RetryFloor)),
            provider.Get<TimeProvider>()))
        .AddSingleton(static provider => new HedgeDelay(
            provider.Get<Live<ConnectOptions>>().Select(static connect => connect.Hedge), provider.Get<UnreadyOnionStreams>()))
        .AddSingleton<RetryPolicy>()
        .AddSingleton(static provider => new StreamAccounting(
            provider.Get<IOutcomeSink>(), provider.Get<Live<RouteOptions>>().Select(static route => route.FirstByteTimeout),
            provider.Get<TimeProvider>()))
        .AddSingleton<RetryConnector>()
        .AddSingleton<StreamOpener>();

    private static IServiceCollection AddServer(this IServiceCollection services) => services
        .AddSingleton(static _ => new UserParametersParser(SelectionPolicyNames.All))
        .AddSingleton<FailedLogins>()
        .AddSingleton<PasswordHashing>()
        .AddSingleton<PasswordChecker>()
        .AddSingleton<IpOnlyClientNotice>()
        .AddSingleton(static provider => new OwnPorts(provider.Get<LiveOptions>().All))
        .AddSingleton<TransparentTargets>()
        .AddSingleton<LingeringNotice>()
        .AddSingleton<AccessLog>()
        .AddSingleton(static provider => new UserTable(
            provider.Get<LiveOptions>().All.Select(static all => all.Users), provider.Get<TimeProvider>()))
        .AddSingleton<ConnectionLimiter>()
        .AddSingleton<ExitLookup>()
        .AddSingleton<ListenerCertificates>()
        .AddSingleton(static provider => new ConnectionRegistry(
            provider.Get<Live<TunnelOptions>>().Select(static tunnel => tunnel.EndWhenWorkerIsGone)))
        .AddSingleton<IWorkerConnections>(static provider => provider.Get<ConnectionRegistry>())
        .AddSingleton(static provider => new ConnectionServices
        {
            Transport = provider.Get<ITransport>(),
            UserParameters = provider.Get<UserParametersParser>(),
            Passwords = provider.Get<PasswordChecker>(),
            Opener = provider.Get<StreamOpener>(),
            Registry = provider.Get<ConnectionRegistry>(),
            AccessLog = provider.Get<AccessLog>(),
            Exits = provider.Get<ExitLookup>(),
            IpOnlyNotice = provider.Get<IpOnlyClientNotice>(),
            TransparentTargets = provider.Get<TransparentTargets>(),
            OwnPorts = provider.Get<OwnPorts>(),
            Lingering = new LingeringClose(provider.Get<TimeProvider>(), provider.Get<LingeringNotice>().Observe),
            Trim = provider.GetService<MemoryTrim>(),
            Descriptors = provider.Get<DescriptorBudget>(),
            Memory = provider.Get<MemoryRoom>(),
            Certificates = provider.Get<ListenerCertificates>(),
            Limiter = provider.Get<ConnectionLimiter>(),
            Inherited = provider.GetService<InheritedSockets>() ?? InheritedSockets.None,
            TunnelIdleTimeout = provider.Get<Live<TunnelOptions>>().Select(static tunnel => tunnel.IdleTimeout),
            Time = provider.Get<TimeProvider>(),
            Logger = provider.Get<ILogger<ClientConnection>>(),
        })
        .AddSingleton<ProxyServer>()
        .AddSingleton<DnsCounters>()
        .AddSingleton(static provider => new DnsResolver(
            provider.Get<TorBalancerOptions>().Dns, provider.Get<LiveOptions>().All.Select(DnsOwner.Of), provider.Get<StreamOpener>(),
            provider.Get<VirtualNames>(), provider.Get<DnsCounters>(), provider.Get<TimeProvider>(), provider.Get<ILogger<DnsResolver>>()))
        .AddSingleton(static provider => new DnsResponder(
            provider.Get<TorBalancerOptions>().Dns, provider.Get<DnsResolver>(), provider.Get<DnsCounters>(), provider.Get<TimeProvider>()))
        .AddSingleton(static provider => new DnsServer(
            provider.Get<TorBalancerOptions>().Dns, provider.Get<DnsResponder>(), provider.Get<TimeProvider>(),
            provider.Get<ILogger<DnsServer>>()));

    /// <summary>Reloads, for a daemon that was started from a configuration.</summary>
    public static IServiceCollection AddReload(this IServiceCollection services, RunningConfiguration running) => services
        .AddSingleton(running)
        .AddSingleton(static provider => new ConfigurationReloader(
            provider.Get<RunningConfiguration>(), provider.Get<LiveOptions>(), provider.Get<ProxyServer>(), provider.Get<WorkerPool>(),
            provider.Get<WorkerHosts>(), provider.Get<TimeProvider>(), provider.Get<ILogger<ConfigurationReloader>>())
        {
            Binding = provider.GetService<IReloadBinding>(),
        })
        .AddSingleton<WorkerCommands>();

    private static IServiceCollection AddAdmin(this IServiceCollection services) => services
        .AddSingleton<ReadinessJudge>()
        .AddSingleton<DiscoveryState>()
        .AddSingleton<Liveness>()
        .AddSingleton<WorkerViews>()
        .AddSingleton(static provider => new AdminCommands(
            provider.Get<WorkerPool>(), provider.Get<HealthMonitor>(), provider.Get<SessionTable>(), provider.Get<ConnectionViews>(),
            provider.Get<RelayWatchService>(), provider.Get<ILogger<AdminCommands>>())
        {
            Reloader = provider.GetService<ConfigurationReloader>(),
            Workers = provider.GetService<WorkerCommands>(),
        })
        .AddSingleton<ConnectionViews>()
        .AddSingleton<UserViews>()
        .AddSingleton<BlacklistViews>()
        .AddSingleton<MetricParts>()
        .AddSingleton<AdminViews>()
        .AddSingleton<Explainer>()
        .AddSingleton<FetchConnector>()
        .AddSingleton(static provider => new FetchServices(
            provider.Get<FetchConnector>(), provider.Get<Live<LogOptions>>(), provider.Get<TimeProvider>())
        {
            Memory = new MemoryBudget(provider.Get<AdminOptions>().FetchMemory),
            Trim = provider.GetService<MemoryTrim>(),
            Descriptors = provider.Get<DescriptorBudget>(),
        })
        .AddSingleton<FetchEngine>();
}
