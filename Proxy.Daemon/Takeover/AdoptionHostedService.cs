using Microsoft.Extensions.Hosting;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Routing;

namespace TorBalancer.Daemon.Takeover;

/// <summary>
/// The first half of a takeover, before anything else starts: the running daemon says what it knows, and goes on accepting. What there may
/// be much of is taken over here already, so that little is left for the moment in which nobody accepts.
/// </summary>
internal sealed class AdoptionHostedService(
    Predecessor predecessor, TorBalancerOptions options, SessionTable sessions, VirtualNames names, TimeProvider time)
    : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        string[] managed = !options.UsesManagedWorkers ? []
            : [.. Enumerable.Range(1, options.ManagedWorkers.Count).Select(Tor.ManagedTorWorkers.IdOf)];
        return predecessor.BeginAsync(managed, time);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var state = predecessor.State!;
        sessions.Adopt(state.Sessions);
        names.Adopt(state.VirtualNames);
        return Task.CompletedTask;
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
