using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Metrics;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Daemon.Metrics;

/// <summary>Sends the metrics to [Admin] Otlp, if there is one. Nothing of it is loaded without, or before clients are served.</summary>
internal sealed class OtlpHostedService(IServiceProvider services, AdminOptions options) : IHostedLifecycleService, IAsyncDisposable
{
    private OtlpExport? _export;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (options.Otlp.Length > 0)
            _export = Begin();
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>What has happened up to the end is sent, too.</summary>
    public Task StoppedAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        var export = Interlocked.Exchange(ref _export, null);
        if (export is not null)
            await export.DisposeAsync();
    }

    private OtlpExport Begin() => new(
        new Uri(options.Otlp), options.OtlpInterval, services.GetRequiredService<MetricParts>(),
        services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<OtlpExport>>());
}
