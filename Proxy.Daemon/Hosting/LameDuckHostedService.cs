using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Systemd;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// The last to be started, which the service manager is told, and the first to hear that the daemon is to stop: says so to everybody who
/// asks, and holds the rest of the stop up for [Tunnel] LameDuck, in which connections are taken as ever.
/// </summary>
internal sealed partial class LameDuckHostedService(
    ProxyServer server, Live<TunnelOptions> tunnel, DaemonSignals signals, ServiceStatus status, TimeProvider time,
    ILogger<LameDuckHostedService> logger)
    : IHostedLifecycleService
{
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        // Another process has taken over: nobody is to be told, and no connection comes here.
        if (server.Serving.Stage == ServingStage.Draining)
            return;
        var (lameDuck, drain) = (tunnel.Value.LameDuck, tunnel.Value.DrainTimeout);
        if (lameDuck > TimeSpan.Zero)
            server.Serving.MoveTo(ServingStage.LameDuck);

        // Longer than TimeoutStopSec when these are: the service manager then waits for as long.
        status.Stopping(lameDuck + drain + StopTimes.AfterDraining);
        if (lameDuck == TimeSpan.Zero)
            return;
        Log.Begins(logger, lameDuck);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(signals.StopAgain, cancellationToken);
        await Task.Delay(lameDuck, time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (signals.StopAgain.IsCancellationRequested)
            Log.Hurried(logger);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        status.Started();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.LameDuck, LogLevel.Information,
            "Stopping: connections are taken for {LameDuck} yet ([Tunnel] LameDuck), while readiness says that others should get them")]
        public static partial void Begins(ILogger logger, TimeSpan lameDuck);

        [LoggerMessage(HostingEventIds.LameDuckHurried, LogLevel.Information, "Told to stop again: the listeners close now")]
        public static partial void Hurried(ILogger logger);
    }
}
