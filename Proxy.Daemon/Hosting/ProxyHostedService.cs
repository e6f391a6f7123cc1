using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Hosting;

/// <summary>Listens while the host runs; drains when it stops.</summary>
internal sealed partial class ProxyHostedService(
    ProxyServer server, LiveOptions options, ConfigurationResult configuration, ILogger<ProxyHostedService> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var warning in configuration.Warnings)
            Log.ConfigurationWarning(logger, warning.ToString());
        await server.StartAsync(ListenerModel.AllOf(options.All.Value));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Log.Stopping(logger);
        bool clean = await server.StopAsync(options.Tunnel.Value.DrainTimeout, cancellationToken);
        Log.Stopped(logger, clean);
    }

    private static partial class Log
    {
        [LoggerMessage(HostingEventIds.Stopping, LogLevel.Information, "Stopping: the listeners close")]
        public static partial void Stopping(ILogger logger);

        [LoggerMessage(HostingEventIds.Stopped, LogLevel.Information, "Stopped (all connections ended by themselves: {Clean})")]
        public static partial void Stopped(ILogger logger, bool clean);

        [LoggerMessage(HostingEventIds.ConfigurationWarning, LogLevel.Warning, "{Warning}")]
        public static partial void ConfigurationWarning(ILogger logger, string warning);
    }
}
