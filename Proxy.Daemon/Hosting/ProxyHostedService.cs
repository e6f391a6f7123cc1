using System.Runtime.InteropServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Hosting;

/// <summary>Listens while the host runs; drains when it stops.</summary>
internal sealed partial class ProxyHostedService(
    ProxyServer server, TorBalancerOptions options, StartSource source, ILogger<ProxyHostedService> logger) : IHostedService, IDisposable
{
    private PosixSignalRegistration? _hangup;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var warning in source.Configuration.Warnings)
            Log.ConfigurationWarning(logger, warning.ToString());
        await server.StartAsync(options.Listeners.Select(listener => new ListenerModel(listener, options.Balancing.Isolation)));

        // Without a handler SIGHUP would end the process and every tunnel with it.
        _hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            Log.ReloadUnsupported(logger);
        });
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Log.Stopping(logger);
        bool clean = await server.StopAsync(options.Tunnel.DrainTimeout, cancellationToken);
        Log.Stopped(logger, clean);
    }

    public void Dispose() => _hangup?.Dispose();

    private static partial class Log
    {
        [LoggerMessage(HostingEventIds.Stopping, LogLevel.Information, "Stopping: the listeners close")]
        public static partial void Stopping(ILogger logger);

        [LoggerMessage(HostingEventIds.Stopped, LogLevel.Information, "Stopped (all connections ended by themselves: {Clean})")]
        public static partial void Stopped(ILogger logger, bool clean);

        [LoggerMessage(HostingEventIds.ConfigurationWarning, LogLevel.Warning, "{Warning}")]
        public static partial void ConfigurationWarning(ILogger logger, string warning);

        [LoggerMessage(HostingEventIds.ReloadUnsupported, LogLevel.Warning, "SIGHUP: this version cannot reload; restart to apply a changed configuration")]
        public static partial void ReloadUnsupported(ILogger logger);
    }
}
