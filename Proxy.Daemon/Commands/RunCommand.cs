using System.CommandLine;
using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TorBalancer.Admin.Events;
using TorBalancer.Admin.Reload;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Reload;
using TorBalancer.Connecting;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Discovery;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Keys;
using TorBalancer.Daemon.Logging;
using TorBalancer.Daemon.Metrics;
using TorBalancer.Daemon.Readiness;
using TorBalancer.Daemon.Systemd;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Daemon.Tor;
using TorBalancer.DependencyInjection;
using TorBalancer.Processes;
using TorBalancer.Server;
using TorBalancer.Testnet;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer run</c>: the daemon, in the foreground.</summary>
internal static class RunCommand
{
    public const string Name = "run";

    public static Command Create()
    {
        var command = new Command(Name, "Run the proxy until SIGTERM or Ctrl-C.");
        var arguments = ConfigurationArguments.AddTo(command);
        var testnet = new Option<bool>("--testnet")
        {
            Description = "Start a private Tor network on loopback and use its workers: everything can be tried offline.",
        };
        var latency = LatencyOption.Create();
        var takeover = new Option<bool>("--takeover")
        {
            Description = "Take over from the daemon that runs with this configuration, without a client noticing; it ends with its last "
                + "connection, or goes on if this one cannot start.",
        };
        command.Options.Add(testnet);
        command.Options.Add(latency);
        command.Options.Add(takeover);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var sources = arguments.Sources(parsed, ConfigurationParts.Proxy);
            var result = ConfigurationLoader.Load(sources);
            var error = parsed.InvocationConfiguration.Error;
            if (!result.IsValid)
            {
                await StandardError.TellAsync(error, result.Errors.Select(static issue => issue.ToString()));
                return result.HasUsageErrors ? ExitCodes.Usage : ExitCodes.Failed;
            }

            bool isTestnet = parsed.GetValue(testnet);
            if (!isTestnet && CheckCommand.LinesOfTransports(result) is { Count: > 0 } missing)
            {
                await StandardError.TellAsync(error, missing);
                return ExitCodes.Failed;
            }

            if (!isTestnet && parsed.GetResult(latency) is not null)
            {
                await StandardError.TellAsync(error, ["--latency is the test network's: it needs --testnet"]);
                return ExitCodes.Usage;
            }

            if (isTestnet && parsed.GetValue(takeover))
            {
                await StandardError.TellAsync(error, ["--takeover cannot take a test network over: its relays end with their daemon"]);
                return ExitCodes.Usage;
            }

            var start = new StartArguments(isTestnet ? parsed.GetValue(latency) : null, parsed.GetValue(takeover));
            return await RunAsync(sources, result, start, error, cancellationToken);
        });
        return command;
    }

    /// <param name="sources">Read again by a reload.</param>
    /// <param name="configuration">Its options are final but for what a test network adds.</param>
    private static async Task<int> RunAsync(
        ConfigurationSources sources, ConfigurationResult configuration, StartArguments start, TextWriter error,
        CancellationToken cancellationToken)
    {
        using var signals = new DaemonSignals();
        try
        {
            var sockets = SocketActivation.Take(
                Environment.GetEnvironmentVariable, Environment.ProcessId, static name => Environment.SetEnvironmentVariable(name, null));
            SocketActivation.Check(sockets, [.. configuration.Options.Listeners]);
            DescriptorLimit.Check();
            using var predecessor = start.IsTakeover ? Predecessor.Connect(AdminSocketOf(configuration.Options)) : null;
            var inputs = new ProcessInputs(signals, predecessor?.TakeListeners() ?? sockets, predecessor);
            if (start.Latency is { } distance)
                await RunTestnetAsync(sources, configuration, distance, inputs, cancellationToken);
            else
                await RunHostAsync(new RunningConfiguration(sources, configuration), addNetwork: null, inputs, cancellationToken);
            return ExitCodes.Done;
        }
        catch (Exception failure) when (failure is StartupException or ListenException)
        {
            await StandardError.TellAsync(error, [$"torbalancer: {failure.Message}"]);
            return ExitCodes.Failed;
        }
        finally
        {
            NLogSetup.Flush();
        }
    }

    private static string? AdminSocketOf(TorBalancerOptions options) =>
        AdminSocket.Resolve(options.Admin.Socket, Environment.GetEnvironmentVariable, ProcessSignals.UserId);

    /// <summary>
    /// Lays the network out before anything reads the options, which then say where its workers are; the host starts it. A method of its
    /// own, so that the network's library is loaded for nobody else.
    /// </summary>
    private static async Task RunTestnetAsync(
        ConfigurationSources sources, ConfigurationResult configuration, TimeSpan latency, ProcessInputs inputs,
        CancellationToken cancellationToken)
    {
        // From the first file on: a signal that came before the host listens to them would leave the network's directory behind.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        await using var network = TestnetHostedService.LayOut(latency);
        TestNetworkConf.ApplyTo(configuration.Options, network);
        var running = new RunningConfiguration(sources, configuration, options => TestNetworkConf.ApplyTo(options, network));
        try
        {
            await RunHostAsync(
                running, services => services.AddSingleton(network).AddHostedService<TestnetHostedService>(), inputs, stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // It was told to stop before it had started.
        }

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    private static async Task RunHostAsync(
        RunningConfiguration running, Action<IServiceCollection>? addNetwork, ProcessInputs inputs, CancellationToken cancellationToken)
    {
        var signals = inputs.Signals;
        using var host = BuildHost(running, addNetwork, inputs);
        signals.Logger = host.Services.GetRequiredService<ILogger<DaemonSignals>>();
        FollowOptions(host.Services);

        // Not before the listeners are open: until then what was read is what is being started.
        var reloads = host.Services.GetRequiredService<SignalledReloads>();
        host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.Register(() =>
        {
            signals.Reload = reloads.Ask;
            if (addNetwork is null)
                signals.Upgrade = host.Services.GetRequiredService<Successor>().Start;
        });
        host.Services.GetRequiredService<IsolationKeyNotice>().Tell();
        await host.RunAsync(cancellationToken);
    }

    /// <summary>What of the host itself goes by the configuration.</summary>
    private static void FollowOptions(IServiceProvider services)
    {
        var live = services.GetRequiredService<LiveOptions>();
        var host = services.GetRequiredService<IOptions<HostOptions>>().Value;
        live.Log.Follow(static log => NLogSetup.SetLevel(log.Level));
        live.Tunnel.Follow(tunnel => host.ShutdownTimeout = StopTimes.OfHost(tunnel));
    }

    /// <param name="running">Its options are final.</param>
    /// <param name="addNetwork">
    /// Adds a network that ends with the daemon: it starts first, and nothing is kept about its workers. Null: there is none.
    /// </param>
    private static IHost BuildHost(RunningConfiguration running, Action<IServiceCollection>? addNetwork, ProcessInputs inputs)
    {
        var configuration = running.Current;
        var options = configuration.Options;
        var builder = Host.CreateEmptyApplicationBuilder(
            new HostApplicationBuilderSettings { ApplicationName = "torbalancer", DisableDefaults = true });
        NLogSetup.WidenConsole();
        NLogSetup.AddTo(builder.Logging, options.Log);
        string state = ManagedWorkerPaths.RootOf(options.ManagedWorkers.DataDirectory, Environment.GetEnvironmentVariable);
        var key = IsolationKeyFile.Load(
            options.Balancing.KeyFile, addNetwork is null ? state : null, Environment.GetEnvironmentVariable, out string? notKept);
        bool isOfThisProcess = notKept is not null || addNetwork is not null;
        if (isOfThisProcess && inputs.Predecessor?.Offer.IsolationKey is { } handedOver)
            key = new IsolationKey(Convert.FromHexString(handedOver));
        builder.Services.AddProxy(options, addNetwork is null ? state : null, key);
        builder.Services.AddSingleton(
            provider => new IsolationKeyNotice(
                key, isOfThisProcess, notKept, provider.GetRequiredService<ILogger<IsolationKeyNotice>>()));
        builder.Services.AddReload(running);
        builder.Services.AddSingleton(configuration);
        builder.Services.AddSingleton(inputs.Signals);
        builder.Services.AddSingleton(inputs.Sockets);
        builder.Services.AddSingleton(new SystemdNotifier(() => inputs.Predecessor is not { IsOver: false }));
        builder.Services.AddSingleton<ServiceStatus>();
        builder.Services.AddSingleton<ReadinessAnswers>();
        builder.Services.AddSingleton(static provider => new ReadinessServer(
            provider.GetRequiredService<ReadinessAnswers>(), provider.GetRequiredService<DescriptorBudget>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ReadinessServer>>())
        {
            Predecessor = provider.GetService<Predecessor>(),
        });
        builder.Services.AddSingleton<IReloadBinding>(static provider => provider.GetRequiredService<ReadinessServer>());
        builder.Services.AddSingleton<SignalledReloads>();
        builder.Services.AddSingleton<Successor>();
        var events = new EventHub(TimeProvider.System);
        EventLoggerProvider.AddTo(builder.Logging, events, EventKinds.Of, EventKinds.Categories);
        builder.Services.AddSingleton(events);
        builder.Services.AddSingleton<StartHints>();
        builder.Services.AddSingleton(static provider => MemoryTrim.Create(provider.GetRequiredService<TimeProvider>()));
        builder.Services.Configure<HostOptions>(host =>
        {
            host.ShutdownTimeout = StopTimes.OfHost(options.Tunnel);
            host.ServicesStartConcurrently = false;
        });
        builder.Services.Configure<ConsoleLifetimeOptions>(static lifetime => lifetime.SuppressStatusMessages = true);

        // Stopped in the reverse of this order: the proxy drains first, while the workers still carry its tunnels and the admin
        // API still shows and commands. That binds after the listeners all the same, and only then we are ready.
        addNetwork?.Invoke(builder.Services);
        builder.Services.AddHandedOver<WorkersHostedService>();
        builder.Services.AddHostedService<DiscoveryHostedService>();
        if (inputs.Predecessor is { } predecessor)
            builder.Services.AddSingleton(predecessor).AddHostedService<AdoptionHostedService>();
        builder.Services.AddHostedService<LinkHostedService>();
        builder.Services.AddHandedOver<RelayWatchHostedService>();
        builder.Services.AddHostedService<HealthHostedService>();
        builder.Services.AddHostedService<WatchdogHostedService>();
        builder.Services.AddHostedService<ReadinessHostedService>();
        builder.Services.AddSingleton<IHandOverPart>(static provider => provider.GetRequiredService<ReadinessServer>());
        builder.Services.AddHandedOver<AdminHostedService>();
        builder.Services.AddHostedService<OtlpHostedService>();
        builder.Services.AddHandedOver<ProxyHostedService>();
        builder.Services.AddHandedOver<DnsHostedService>();
        builder.Services.AddHostedService<UsersFileWatch>();
        if (inputs.Predecessor is not null)
            builder.Services.AddHostedService<TakeoverHostedService>();
        if (addNetwork is null)
            builder.Services.AddHandOver();
        builder.Services.AddHostedService<ReadyHostedService>();
        builder.Services.AddHostedService<LameDuckHostedService>();
        return builder.Build();
    }

    /// <summary>What the process has from outside, besides its configuration.</summary>
    /// <param name="Signals">Those that are sent to it.</param>
    /// <param name="Sockets">Those that were opened for it.</param>
    /// <param name="Predecessor">Who serves yet and hands over; null: nobody does.</param>
    private sealed record ProcessInputs(DaemonSignals Signals, InheritedSockets Sockets, Predecessor? Predecessor);

    /// <summary>What stands on the command line beside the configuration.</summary>
    /// <param name="Latency">How far the relays of the test network to run are away; null: none is run.</param>
    /// <param name="IsTakeover">Take over from a running daemon.</param>
    private sealed record StartArguments(TimeSpan? Latency, bool IsTakeover);
}
