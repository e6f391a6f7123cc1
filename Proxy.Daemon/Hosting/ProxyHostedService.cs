using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Hosting;

/// <summary>Listens while the host runs; drains when it stops.</summary>
/// <param name="predecessor">Accepts until it lets go; null: nobody does.</param>
internal sealed partial class ProxyHostedService(
    ProxyServer server, LiveOptions options, ConfigurationResult configuration, ILogger<ProxyHostedService> logger,
    Predecessor? predecessor = null) : IHostedService, IHandOverPart
{
    public IReadOnlyList<(TakeoverDescriptor What, int Descriptor)> Descriptors =>
    [
        .. server.Sockets.Select(static one => (
            new TakeoverDescriptor(TakeoverKinds.Listener, one.Model.Name, one.Model.Address.ToString()!, one.OwnsFile),
            (int)one.Socket.SafeHandle.DangerousGetHandle())),
    ];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var warning in configuration.Warnings)
            Log.ConfigurationWarning(logger, warning.ToString());
        var models = ListenerModel.AllOf(options.All.Value);
        if (predecessor is null)
        {
            await server.StartAsync(models);
            return;
        }

        var bound = await server.PrepareAsync(models);
        predecessor.WhenOurs(
            async () =>
            {
                await server.AcceptAsync(bound);
                server.CloseUntaken();
            }, isFirst: true);
    }

    public async ValueTask PauseAsync() => await server.PauseAsync();

    public void Resume() => server.Resume();

    public async ValueTask LeaveAsync(TakeoverReady successor, int processId) => await server.LeaveListenersAsync(processId);

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
