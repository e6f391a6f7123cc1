using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Daemon.Tor;
using TorBalancer.Health;
using TorBalancer.Processes;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Fills the pool before the listeners open: with the workers that are configured, or with tor processes of our own. Those are stopped
/// after everything that uses them, so that tunnels can drain through them.
/// </summary>
/// <param name="predecessor">Hands its tor processes over; null: there are none.</param>
internal sealed class WorkersHostedService(
    WorkerPool pool, HealthMonitor health, TorBalancerOptions options, TimeProvider time, ILogger<WorkersHostedService> logger,
    Predecessor? predecessor = null)
    : IHostedService, IHandOverPart, IAsyncDisposable
{
    /// <summary>For the control ports of tors that are there: they answer at once, or are in trouble.</summary>
    private static readonly TimeSpan AdoptLimit = TimeSpan.FromSeconds(5);

    private ManagedTorWorkers? _managed;

    /// <summary>The managed workers, for who takes over; null: there are none.</summary>
    public TakeoverWorkers? Offer => _managed is null ? null : new TakeoverWorkers(
        _managed.Paths.Root, _managed.Paths.Sockets,
        [
            .. _managed.Running.Select(static one => new TakeoverTor(
                one.Id, one.Now.Process.ProcessId, one.Now.Process.Running.Started, one.Now.IsReady)),
        ]);

    public IReadOnlyList<(TakeoverDescriptor What, int Descriptor)> Descriptors => _managed?.LockDescriptor is not { } held ? [] :
    [
        (new TakeoverDescriptor(TakeoverKinds.WorkersLock, _managed.Paths.Root), held),
        .. _managed.Running.SelectMany(static one => one.Now.Process.OutputDescriptors.Select(
            descriptor => (new TakeoverDescriptor(TakeoverKinds.TorOutput, one.Id), descriptor))),
    ];

    /// <summary>Those of them that the other process has by its configuration too.</summary>
    public async ValueTask LeaveAsync(TakeoverReady successor, int processId)
    {
        if (_managed is not null && successor.Workers.Count > 0)
            await _managed.LeaveAsync(successor.Workers, processId);
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!options.UsesManagedWorkers)
            pool.Apply([.. options.Workers.Select(WorkerModel.Of)]);
        else
            await StartManagedAsync(cancellationToken);
    }

    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        if (_managed is not null)
            await _managed.DisposeAsync();
        _managed = null;
    }

    private async Task StartManagedAsync(CancellationToken cancellationToken)
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
            var taken = predecessor?.TakeWorkers(paths);
            _managed = new ManagedTorWorkers(managed, tor, paths, new ManagedWorkerPoolSink(pool, health), logger, time)
            {
                Predecessor = taken,
            };
            pool.Apply([.. _managed.Ids.Zip(_managed.Countries, ManagedWorkerPoolSink.Placeholder)], WorkerOperationalState.Recovery);
            _managed.Start();
            if (taken is not null)
                await AdoptAsync([.. taken.Tors.Where(static one => one.Value.IsReady).Select(static one => one.Key)], cancellationToken);
        }
        catch (ManagedWorkersException failure)
        {
            throw new StartupException(failure.Message, failure);
        }
    }

    /// <summary>Returns when those that are ready may be picked, so that no client finds nobody.</summary>
    private async Task AdoptAsync(IReadOnlyList<string> ready, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(AdoptLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        while (!either.IsCancellationRequested)
        {
            var changed = pool.Changed;
            if (ready.All(id => pool.Find(id) is null or { IsEligible: true }))
                return;
            await changed.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
