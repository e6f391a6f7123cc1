using Microsoft.Extensions.Hosting;
using TorBalancer.Daemon.Takeover;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Watches the workers' circuits while the host runs. Stops after the proxy and before the workers, whose tors it puts in order.
/// </summary>
/// <param name="predecessor">Watches them, and tells tor what to avoid, until this process serves; null: nobody does.</param>
internal sealed class RelayWatchHostedService(RelayWatchService service, Predecessor? predecessor = null) : IHostedService, IHandOverPart
{
    /// <summary>The other process watches them by now: what this one has set in tor is its.</summary>
    public async ValueTask LeaveAsync(TakeoverReady successor, int processId) => await service.LeaveAsync();

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (predecessor is null)
            service.Start();
        else
            predecessor.WhenOurs(service.Start);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => service.StopAsync();
}
