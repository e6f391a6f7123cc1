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
    private IReadOnlyList<(string Id, RunningNow Now)> _offered = [];

    /// <summary>
    /// Offers the managed workers of now to who takes over; null: there are none. <see cref="Descriptors"/> are theirs from then on, and no
    /// others are left to it.
    /// </summary>
    public TakeoverWorkers? Offer()
    {
        if (_managed is null)
            return null;
        _offered = _managed.Running;
        return new TakeoverWorkers(
            _managed.Paths.Root, _managed.Paths.Sockets,
            [
                .. _offered.Select(static one => new TakeoverTor(
                    one.Id, one.Now.Process.ProcessId, one.Now.Process.Started, one.Now.IsReady)),
            ]);
    }

    public IReadOnlyList<(TakeoverDescriptor What, int Descriptor)> Descriptors => _managed?.LockDescriptor is not { } held ? [] :
    [
        (new TakeoverDescriptor(TakeoverKinds.WorkersLock, _managed.Paths.Root), held),
        .. _offered.SelectMany(static one => one.Now.Process.OutputDescriptors.Select(
            descriptor => (new TakeoverDescriptor(TakeoverKinds.TorOutput, one.Id), descriptor))),
        .. _offered.Where(static one => one.Now.Process.Descriptor is not null).Select(static one => (
            new TakeoverDescriptor(TakeoverKinds.TorProcess, one.Id), one.Now.Process.Descriptor!.Value)),
    ];

    /// <summary>Those of them that the other process has by its configuration too.</summary>
    public async ValueTask LeaveAsync(TakeoverReady successor, int processId)
    {
        if (_managed is not null && successor.Workers.Count > 0)
        {
            var offered = _offered.ToDictionary(static one => one.Id, static one => one.Now.Process, StringComparer.Ordinal);
            await _managed.LeaveAsync(successor.Workers, offered, processId);
        }
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
