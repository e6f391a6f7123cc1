using Microsoft.Extensions.Hosting;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Routing;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Daemon.Takeover;

/// <summary>
/// The first half of a takeover, before anything else starts: the running daemon stops accepting. Its sessions, virtual names, relays and
/// workers' states are taken over as soon as the pool is filled.
/// </summary>
internal sealed class AdoptionHostedService(
    Predecessor predecessor, TorBalancerOptions options, SessionTable sessions, VirtualNames names, RelayWatchService relays,
    HealthMonitor health)
    : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        string[] managed = !options.UsesManagedWorkers ? []
            : [.. Enumerable.Range(1, options.ManagedWorkers.Count).Select(Tor.ManagedTorWorkers.IdOf)];
        return Task.Run(() => predecessor.Begin(managed), cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var state = predecessor.State!;
        sessions.Adopt(state.Sessions);
        names.Adopt(state.VirtualNames);
        relays.Adopt(state.Relays);
        health.Adopt(state.Workers);
        return Task.CompletedTask;
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
