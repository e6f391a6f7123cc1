using Microsoft.Extensions.Hosting;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;

namespace TorBalancer.Daemon.Hosting;

/// <summary>Probes and alerts while the host runs: from the moment there are workers, until the proxy has drained.</summary>
internal sealed class HealthHostedService(HealthProber prober, UplinkWatch uplink, AlertDispatcher alerts) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        alerts.Start();
        prober.Start();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await prober.DisposeAsync();
        await uplink.DisposeAsync();
        await alerts.DisposeAsync();
    }
}
