using Microsoft.Extensions.Hosting;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;

namespace TorBalancer.Daemon.Hosting;

/// <summary>Probes and alerts while the host runs: from the moment there are workers, until the proxy has drained.</summary>
/// <param name="predecessor">Probes and alerts until this process serves; null: nobody does.</param>
internal sealed class HealthHostedService(
    HealthProber prober, UplinkWatch uplink, AlertDispatcher alerts, Predecessor? predecessor = null) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (predecessor is null)
            Begin();
        else
            predecessor.WhenOurs(Begin);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await prober.DisposeAsync();
        await uplink.DisposeAsync();
        await alerts.DisposeAsync();
    }

    private void Begin()
    {
        alerts.Start();
        prober.Start();
    }
}
