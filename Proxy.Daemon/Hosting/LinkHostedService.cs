using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Connecting;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Looks at every worker's WireGuard link when the daemon starts. What is missing may still come, and connections fail
/// until then; that binding is not permitted will not change by itself, so the daemon does not start.
/// </summary>
/// <param name="tryInterface">What binding a socket to an interface fails with; null: the kernel is asked.</param>
internal sealed partial class LinkHostedService(
    WorkerPool pool, ILogger<LinkHostedService> logger, Func<string, SocketError>? tryInterface = null) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var worker in pool.Snapshot.All)
        {
            if (worker.Model.Link is not { } link)
                continue;
            if (LinkFault.WhyForbidden(link.Interface, tryInterface) is { } why)
                throw new StartupException($"[Worker:{worker.Id}] WgInterface = {link.Interface}: {why}");
            if (LinkFault.Describe(link) is { } fault)
                Log.LinkMissing(logger, worker.Id, fault);
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.LinkMissing, LogLevel.Warning, "Worker {Worker}: {Fault}; what is to take its link fails until it is there")]
        public static partial void LinkMissing(ILogger logger, string worker, string fault);
    }
}
