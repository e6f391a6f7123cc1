using Microsoft.Extensions.Hosting;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Watches the workers' circuits while the host runs. Stops after the proxy and before the workers, whose tors it puts in order.
/// </summary>
internal sealed class RelayWatchHostedService(RelayWatchService service) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        service.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => service.StopAsync();
}
