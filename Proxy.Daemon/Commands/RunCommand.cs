using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Logging;
using TorBalancer.Daemon.Testnet;
using TorBalancer.Daemon.Tor;
using TorBalancer.DependencyInjection;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer run</c>: the daemon, in the foreground.</summary>
internal static class RunCommand
{
    public const string Name = "run";

    private const int ExitOk = 0;
    private const int ExitFailed = 1;
    private const int ExitUsage = 2;

    public static Command Create()
    {
        var command = new Command(Name, "Run the proxy until SIGTERM or Ctrl-C.");
        var arguments = ConfigurationArguments.AddTo(command);
        var testnet = new Option<bool>("--testnet") { Description = "Start a private Tor network on loopback and use its workers: everything can be tried offline." };
        command.Options.Add(testnet);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var result = arguments.Load(parsed);
            var error = parsed.InvocationConfiguration.Error;
            if (!result.IsValid)
            {
                await StandardError.TellAsync(error, result.Errors.Select(static issue => issue.ToString()));
                return result.HasUsageErrors ? ExitUsage : ExitFailed;
            }

            return await RunAsync(result, parsed.GetValue(testnet), error, cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(ConfigurationResult configuration, bool testnet, TextWriter error, CancellationToken cancellationToken)
    {
        using var signals = new DaemonSignals();
        try
        {
            DescriptorLimit.Check();
            using var host = BuildHost(configuration, testnet);
            signals.Logger = host.Services.GetRequiredService<ILogger<DaemonSignals>>();
            await host.RunAsync(cancellationToken);
            return ExitOk;
        }
        catch (Exception failure) when (failure is StartupException or ListenException)
        {
            await StandardError.TellAsync(error, [$"torbalancer: {failure.Message}"]);
            return ExitFailed;
        }
        finally
        {
            NLogSetup.Flush();
        }
    }

    private static IHost BuildHost(ConfigurationResult configuration, bool testnet)
    {
        var options = configuration.Options;
        if (testnet)
            options.Route.Rules.Add(TestNetworkConf.Route);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = "torbalancer", DisableDefaults = true });
        NLogSetup.WidenConsole();
        NLogSetup.AddTo(builder.Logging, options.Log);
        string state = ManagedWorkerPaths.RootOf(options.ManagedWorkers.DataDirectory, Environment.GetEnvironmentVariable);
        builder.Services.AddProxy(options, testnet ? null : state);
        builder.Services.AddSingleton(new StartSource(configuration, testnet));
        builder.Services.AddSingleton<StartHints>();
        builder.Services.AddSingleton(static provider => MemoryTrim.Create(provider.GetRequiredService<TimeProvider>()));
        builder.Services.Configure<HostOptions>(host =>
        {
            // Draining is bounded by its own key; the host's limit only stands behind it.
            host.ShutdownTimeout = options.Tunnel.DrainTimeout + TimeSpan.FromSeconds(30);
            host.ServicesStartConcurrently = false;
        });
        builder.Services.Configure<ConsoleLifetimeOptions>(static lifetime => lifetime.SuppressStatusMessages = true);

        // Stopped in the reverse of this order: the proxy drains first, while the workers still carry its tunnels and the admin
        // API still shows and commands. That binds after the listeners all the same, and only then we are ready.
        builder.Services.AddHostedService<WorkersHostedService>();
        builder.Services.AddHostedService<LinkHostedService>();
        builder.Services.AddHostedService<RelayWatchHostedService>();
        builder.Services.AddHostedService<HealthHostedService>();
        builder.Services.AddHostedService<AdminHostedService>();
        builder.Services.AddHostedService<ProxyHostedService>();
        builder.Services.AddHostedService<ReadyHostedService>();
        return builder.Build();
    }
}
