using Microsoft.Extensions.Hosting;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Takeover;

/// <summary>
/// The second half of a takeover, behind everything that can fail: the running daemon lets go, and the listeners of this one accept.
/// </summary>
internal sealed class TakeoverHostedService(Predecessor predecessor, ProxyServer server, TimeProvider time) : IHostedLifecycleService
{
    public async Task StartedAsync(CancellationToken cancellationToken) => server.TakeOver(await predecessor.FinishAsync(time));

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
