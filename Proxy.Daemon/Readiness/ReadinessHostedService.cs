using Microsoft.Extensions.Hosting;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Takeover;

namespace TorBalancer.Daemon.Readiness;

/// <summary>Answers from before the listeners open until the proxy has drained, so that who asks is never left without an answer.</summary>
/// <param name="predecessor">Answers until it lets go; null: nobody does.</param>
internal sealed class ReadinessHostedService(ReadinessServer server, LiveOptions options, Predecessor? predecessor = null) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        var bound = server.Bind(options.All.Value);
        if (predecessor is null)
            bound.Apply();
        else
            predecessor.WhenOurs(bound.Apply);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => server.DisposeAsync().AsTask();
}
