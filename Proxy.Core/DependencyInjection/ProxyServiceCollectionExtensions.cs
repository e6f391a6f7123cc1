using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Admin.Fetch;
using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Protocols;
using TorBalancer.Routing;
using TorBalancer.Server;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Workers;

namespace TorBalancer.DependencyInjection;

/// <summary>Puts the stages together; one method for each.</summary>
internal static class ProxyServiceCollectionExtensions
{
    /// <summary>Everything that a running proxy needs, for these options.</summary>
    /// <param name="stateDirectory">What must survive a kill is kept in there; null: nothing is.</param>
    public static IServiceCollection AddProxy(this IServiceCollection services, TorBalancerOptions options, string? stateDirectory = null)
    {
        services.AddSingleton(options);
        services.AddSingleton(Microsoft.Extensions.Options.Options.Create(options));
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(static _ => OperatingSystem.IsLinux() ? new DescriptorBudget(OpenDescriptors.OfProcess()) : DescriptorBudget.Unlimited());
        services.AddSingleton(static _ => MemoryRoom.OfProcess());
        services.AddSingleton<ITransport>(static provider => EngineSelection.Create(
            Options(provider), provider.GetRequiredService<DescriptorBudget>(), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>().CreateLogger("TorBalancer.Engine")));
        return services.AddWorkers().AddRelays(stateDirectory is null ? null : Path.Combine(stateDirectory, "exclusions")).AddConnecting().AddHealth().AddServer().AddAdmin();
    }

    private static IServiceCollection AddWorkers(this IServiceCollection services)
    {
        services.AddSingleton<WorkerPool>();
        services.AddSingleton<IRandomSource, SystemRandomSource>();
        services.AddSingleton(static provider => new WorkerSelector(
            provider.GetRequiredService<WorkerPool>(), WorkerSelector.CreatePolicies(provider.GetRequiredService<IRandomSource>()),
            new SelectionOptions(Options(provider).Balancing.PassOver, Options(provider).Balancing.Panic == PanicMode.TryAll), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<IRandomSource>()));
        return services;
    }

    private static IServiceCollection AddRelays(this IServiceCollection services, string? directory)
    {
        services.AddSingleton(provider =>
        {
            const int steps = 1 << 20;
            var random = provider.GetRequiredService<IRandomSource>();
            return new RelayWatchService(
                provider.GetRequiredService<WorkerPool>(), Options(provider).Blacklist, () => random.Next(steps) / (double)steps,
                provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<RelayWatchService>>(),
                directory: new ExclusionDirectory(directory));
        });
        services.AddSingleton<ICircuitEpochs>(static provider => provider.GetRequiredService<RelayWatchService>());
        services.AddSingleton<ITorFacts>(static provider => provider.GetRequiredService<RelayWatchService>());
        services.AddSingleton<ICircuitJoin>(static provider => provider.GetRequiredService<RelayWatchService>());
        return services;
    }

    private static IServiceCollection AddConnecting(this IServiceCollection services)
    {
        services.AddSingleton<IsolationTokenFactory>();
        services.AddSingleton(static provider => new SocksPipelining(
            provider.GetRequiredService<ITransport>(), provider.GetRequiredService<ILogger<SocksPipelining>>(), workerTimeout: Options(provider).Connect.WorkerTimeout));
        services.AddSingleton(static provider => new SessionTable(provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new ConnectPlanner(
            Options(provider).Balancing, provider.GetRequiredService<IsolationTokenFactory>(), provider.GetRequiredService<SessionTable>(),
            Options(provider).Route));
        services.AddSingleton(static provider => new RouteTable(Options(provider).Route));
        services.AddSingleton(static provider => new LinkResolver(
            provider.GetRequiredService<WorkerDialer>(), new LinkDnsClient(provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<DescriptorBudget>()), Options(provider).Route,
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new LinkDialer(
            provider.GetRequiredService<ITransport>(), provider.GetRequiredService<LinkResolver>(), Options(provider).Connect,
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new WorkerSockets(
            provider.GetRequiredService<ITransport>(), provider.GetRequiredService<WorkerPool>(), Options(provider).Connect,
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<DescriptorBudget>()));
        services.AddSingleton(static provider => new WorkerDialer(
            provider.GetRequiredService<ITransport>(), Options(provider).Connect, provider.GetRequiredService<TimeProvider>(),
            Options(provider).Connect.PreConnect > 0 ? provider.GetRequiredService<WorkerSockets>() : null, provider.GetRequiredService<SocksPipelining>()));
        services.AddSingleton(static provider => new RetryBudget(
            Options(provider).Connect.RetryBudget, Options(provider).Connect.RetryFloor, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new HedgeDelay(Options(provider).Connect.Hedge));
        services.AddSingleton(static provider => new StreamAccounting(
            provider.GetRequiredService<IOutcomeSink>(), Options(provider).Route.FirstByteTimeout, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<StreamDialer>();
        services.AddSingleton(static provider => new RetryPolicy(
            Options(provider).Connect, provider.GetRequiredService<RetryBudget>(), provider.GetRequiredService<HedgeDelay>()));
        services.AddSingleton<RetryConnector>();
        services.AddSingleton<StreamOpener>();
        return services;
    }

    private static IServiceCollection AddServer(this IServiceCollection services)
    {
        services.AddSingleton(static _ => new UserParametersParser(SelectionPolicyNames.All));
        services.AddSingleton<IpOnlyClientNotice>();
        services.AddSingleton<LingeringNotice>();
        services.AddSingleton(static provider => new AccessLog(
            provider.GetRequiredService<ILogger<AccessLog>>(), Options(provider).Log, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new ExitLookup(provider.GetRequiredService<ICircuitJoin>(), Options(provider).Log));
        services.AddSingleton(static provider => new ConnectionServices
        {
            Transport = provider.GetRequiredService<ITransport>(),
            UserParameters = provider.GetRequiredService<UserParametersParser>(),
            Opener = provider.GetRequiredService<StreamOpener>(),
            Registry = provider.GetRequiredService<ConnectionRegistry>(),
            AccessLog = provider.GetRequiredService<AccessLog>(),
            Exits = provider.GetRequiredService<ExitLookup>(),
            IpOnlyNotice = provider.GetRequiredService<IpOnlyClientNotice>(),
            Lingering = new LingeringClose(provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<LingeringNotice>().Observe),
            Trim = provider.GetService<MemoryTrim>(),
            Descriptors = provider.GetRequiredService<DescriptorBudget>(),
            Memory = provider.GetRequiredService<MemoryRoom>(),
            TunnelIdleTimeout = Options(provider).Tunnel.IdleTimeout,
            Time = provider.GetRequiredService<TimeProvider>(),
            Logger = provider.GetRequiredService<ILogger<ClientConnection>>(),
        });
        services.AddSingleton(static provider => new ConnectionRegistry(Options(provider).Tunnel.EndWhenWorkerIsGone));
        services.AddSingleton<IWorkerConnections>(static provider => provider.GetRequiredService<ConnectionRegistry>());
        services.AddSingleton<ProxyServer>();
        return services;
    }

    private static IServiceCollection AddAdmin(this IServiceCollection services)
    {
        services.AddSingleton<IWorkerHealthView, MonitorHealthView>();
        services.AddSingleton<AdminCommands>();
        services.AddSingleton(static provider => new AdminViews(
            provider.GetRequiredService<WorkerPool>(), provider.GetRequiredService<IWorkerHealthView>(), provider.GetRequiredService<ITorFacts>(),
            provider.GetRequiredService<ProxyServer>(), provider.GetRequiredService<ExitLookup>(), provider.GetRequiredService<SessionTable>(),
            Options(provider).Log, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new FetchConnector(provider.GetRequiredService<StreamOpener>(), Options(provider).Balancing));
        services.AddSingleton(static provider => new FetchServices(
            provider.GetRequiredService<FetchConnector>(), Options(provider).Log, provider.GetRequiredService<TimeProvider>())
        {
            Memory = new MemoryBudget(Options(provider).Admin.FetchMemory),
            Trim = provider.GetService<MemoryTrim>(),
            Descriptors = provider.GetRequiredService<DescriptorBudget>(),
        });
        services.AddSingleton<FetchEngine>();
        return services;
    }

    private static TorBalancerOptions Options(IServiceProvider provider) => provider.GetRequiredService<TorBalancerOptions>();
}
