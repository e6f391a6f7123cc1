using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Tor;
using TorBalancer.Health;
using TorBalancer.Processes;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Fills the pool before the listeners open: with the workers that are configured, or with tor processes of our own. Those are stopped
/// after everything that uses them, so that tunnels can drain through them.
/// </summary>
internal sealed class WorkersHostedService(
    WorkerPool pool, HealthMonitor health, TorBalancerOptions options, TimeProvider time, ILogger<WorkersHostedService> logger)
    : IHostedService, IAsyncDisposable
{
    private ManagedTorWorkers? _managed;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Workers.Count > 0)
            pool.Apply([.. options.Workers.Select(WorkerModel.Of)]);
        else
            StartManaged();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        if (_managed is not null)
            await _managed.DisposeAsync();
        _managed = null;
    }

    private void StartManaged()
    {
        string? tor = Executables.FindTor(options.ManagedWorkers.TorPath);
        if (tor is null)
        {
            throw new StartupException(
                $"no [Worker:…] is configured and no tor was found (TorPath = {options.ManagedWorkers.TorPath}): install tor, or "
                    + $"configure workers, or try --testnet");
        }

        try
        {
            var managed = options.ManagedWorkers;
            var paths = ManagedWorkerPaths.Resolve(managed.DataDirectory, managed.Count, Environment.GetEnvironmentVariable);
            _managed = new ManagedTorWorkers(managed, tor, paths, new ManagedWorkerPoolSink(pool, health), logger, time);
            pool.Apply([.. _managed.Ids.Zip(_managed.Countries, ManagedWorkerPoolSink.Placeholder)], WorkerOperationalState.Recovery);
            _managed.Start();
        }
        catch (ManagedWorkersException failure)
        {
            throw new StartupException(failure.Message, failure);
        }
    }
}
