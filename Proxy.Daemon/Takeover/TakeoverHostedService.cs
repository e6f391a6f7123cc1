using Microsoft.Extensions.Hosting;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Routing;
using TorBalancer.Server;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Daemon.Takeover;

/// <summary>
/// The second half of a takeover, behind everything that can fail or takes long: the running daemon stops accepting and says what has
/// changed since, and the listeners of this one accept.
/// </summary>
internal sealed class TakeoverHostedService(
    Predecessor predecessor, ProxyServer server, SessionTable sessions, VirtualNames names, RelayWatchService relays, HealthMonitor health,
    TimeProvider time) : IHostedLifecycleService
{
    public async Task StartedAsync(CancellationToken cancellationToken) => server.TakeOver(await predecessor.FinishAsync(Adopt, time));

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Adopt(TakeoverState changes)
    {
        sessions.Adopt(changes.Sessions);
        names.Adopt(changes.VirtualNames);
        relays.Adopt(changes.Relays);
        health.Adopt(changes.Workers);
    }
}
