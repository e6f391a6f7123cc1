using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Events;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Logging;
using TorBalancer.Daemon.Publishing;
using TorBalancer.Onion.Publishing;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// <c>torbalancer publish</c>: keeps the descriptors of balanced onion services published, in the foreground. A program of its own: the
/// services' secret keys do not live beside parsers of what the proxy's clients send.
/// </summary>
internal static class PublishCommand
{
    public const string Name = "publish";

    private static readonly TimeSpan StopBound = TimeSpan.FromSeconds(30);

    public static Command Create()
    {
        var command = new Command(
            Name, "Publish the onion services of the configuration, each over its instances, until SIGTERM or Ctrl-C.");
        var arguments = ConfigurationArguments.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var result = arguments.Load(parsed, ConfigurationParts.Publisher);
            var error = parsed.InvocationConfiguration.Error;
            if (!result.IsValid)
            {
                await StandardError.TellAsync(error, result.Errors.Select(static issue => issue.ToString()));
                return result.HasUsageErrors ? ExitCodes.Usage : ExitCodes.Failed;
            }

            if (result.Options.OnionServices.Count == 0)
            {
                await StandardError.TellAsync(
                    error, [$"torbalancer: {result.Source} has no [OnionService:name]: there is nothing to publish"]);
                return ExitCodes.Failed;
            }

            return await RunAsync(result, error, cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(ConfigurationResult configuration, TextWriter error, CancellationToken cancellationToken)
    {
        using var signals = new DaemonSignals();
        try
        {
            using var services = PublisherServices.Load(configuration.Options, TimeProvider.System.GetUtcNow());
            using var host = BuildHost(configuration, services);
            signals.Logger = host.Services.GetRequiredService<ILogger<DaemonSignals>>();
            foreach (var warning in configuration.Warnings)
                await StandardError.TellAsync(error, [$"{warning.Origin}: warning: {warning.Message}"]);

            // RunAsync disposes of the host: afterwards it can be asked for nothing.
            var publisher = host.Services.GetRequiredService<PublisherHostedService>();
            await host.RunAsync(cancellationToken);
            return publisher.Failure is { } reason
                ? throw new StartupException(reason)
                : ExitCodes.Done;
        }
        catch (StartupException failure)
        {
            await StandardError.TellAsync(error, [$"torbalancer: {failure.Message}"]);
            return ExitCodes.Failed;
        }
        finally
        {
            NLogSetup.Flush();
        }
    }

    private static IHost BuildHost(ConfigurationResult configuration, PublisherServices services)
    {
        var builder = Host.CreateEmptyApplicationBuilder(
            new HostApplicationBuilderSettings { ApplicationName = "torbalancer", DisableDefaults = true });
        NLogSetup.WidenConsole();
        NLogSetup.AddTo(builder.Logging, configuration.Options.Log);
        var events = new EventHub(TimeProvider.System);
        EventLoggerProvider.AddTo(builder.Logging, events, PublisherEventKinds.Of, PublisherEventKinds.Categories);
        builder.Services.AddSingleton(events);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<TorBalancerOptions>(configuration.Options);
        builder.Services.AddSingleton(_ => services);
        builder.Services.AddSingleton<PublisherHostedService>();
        builder.Services.AddHostedService(static provider => provider.GetRequiredService<PublisherHostedService>());
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = StopBound);
        builder.Services.Configure<ConsoleLifetimeOptions>(static lifetime => lifetime.SuppressStatusMessages = true);
        return builder.Build();
    }
}
