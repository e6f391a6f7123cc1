using Microsoft.Extensions.Hosting;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Daemon.Readiness;

/// <summary>Answers from before the listeners open until the proxy has drained, so that who asks is never left without an answer.</summary>
internal sealed class ReadinessHostedService(ReadinessServer server, LiveOptions options) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        server.Start(options.All.Value);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => server.DisposeAsync().AsTask();
}
