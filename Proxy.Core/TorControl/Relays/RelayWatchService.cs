using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.TorControl.Warm;
using TorBalancer.Workers;

namespace TorBalancer.TorControl.Relays;

/// <summary>Where is remembered what to put back after a kill.</summary>
/// <param name="Path">Null: nowhere.</param>
internal readonly record struct ExclusionDirectory(string? Path);

/// <summary>
/// Watches the circuits of every worker of the pool that has a control port, as workers come, go and move. Start it when
/// the pool is filled and stop it before the workers.
/// </summary>
internal sealed partial class RelayWatchService(
    WorkerPool pool, Live<BlacklistOptions> options, Func<double> jitter, TimeProvider time, ILogger<RelayWatchService> logger,
    RelayWatchTiming? timing = null, ExclusionDirectory directory = default)
    : ICircuitEpochs, ICircuitJoin, ITorFacts, ITorVersions, IAsyncDisposable
{
    private readonly CircuitEpochs _epochs = new();
    private readonly RelayWatchTiming _timing = (timing ?? RelayWatchTiming.Default) with { Jitter = jitter };
    private readonly CancellationTokenSource _stop = new();
    private ImmutableDictionary<string, Watched> _watchers = ImmutableDictionary.Create<string, Watched>(StringComparer.OrdinalIgnoreCase);
    private Task _running = Task.CompletedTask;
    private int _disposed;

    /// <summary>Of every worker with a control port.</summary>
    public IReadOnlyList<WorkerTorFacts> Facts => [.. All.Select(static watcher => watcher.Facts)];

    /// <summary>The exits that are avoided now, by which worker and why.</summary>
    public IReadOnlyList<BlacklistView> Blacklist => [.. All.SelectMany(static watcher => watcher.BlacklistViews)];

    /// <summary>Takes an exit off all lists, or all exits. How many entries that were.</summary>
    /// <param name="fingerprint">40 hexadecimal digits in capitals; null: all.</param>
    public int Forgive(string? fingerprint) => All.Sum(watcher => watcher.Forgive(fingerprint));

    /// <summary>Circuits that were given up as broken, of all workers.</summary>
    public long Rebuilds => All.Sum(static watcher => watcher.Facts.Rebuilds);

    private IEnumerable<CircuitWatcher> All =>
        Volatile.Read(ref _watchers).Values.Select(static pair => pair.Watcher)
            .OrderBy(static watcher => watcher.WorkerId, StringComparer.Ordinal);

    /// <summary>Keeps circuits ready; null: nobody does.</summary>
    public CircuitWarming? Warming { get; init; }

    public void Start()
    {
        options.Follow(_ => NudgeAll());
        Warming?.Options.Follow(_ => NudgeAll());
        _running = RunAsync(_stop.Token);
    }

    /// <summary>Ends all watching and puts back what was changed in the workers' tors. A second call does nothing.</summary>
    public Task StopAsync() => EndAsync(static watcher => watcher.DisposeAsync());

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <inheritdoc />
    public WorkerTorFacts? FactsOf(string workerId) => Find(workerId)?.Facts;

    /// <inheritdoc />
    public TorVersion? VersionOf(string workerId) => Find(workerId)?.Version;

    /// <inheritdoc />
    public CircuitExit? FindExit(string workerId, string? tokenPassword, int? localPort, string? target) =>
        Find(workerId)?.FindExit(tokenPassword, localPort, target);

    /// <inheritdoc />
    public long EpochOf(string workerId, string tokenPassword) => _epochs.EpochOf(workerId, tokenPassword);

    /// <inheritdoc />
    public string PasswordFor(string workerId, string tokenPassword) => _epochs.PasswordFor(workerId, tokenPassword);

    internal CircuitWatcher? Find(string workerId) =>
        Volatile.Read(ref _watchers).TryGetValue(workerId, out var pair) ? pair.Watcher : null;

    /// <summary>What was configured has changed.</summary>
    private void NudgeAll()
    {
        foreach (var (_, watcher) in Volatile.Read(ref _watchers).Values)
            watcher.Nudge();
    }

    private async Task EndAsync(Func<CircuitWatcher, ValueTask> end)
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _stop.CancelAsync();
        await _running;
        await Task.WhenAll(_watchers.Values.Select(pair => end(pair.Watcher).AsTask()));
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var changed = pool.Changed;
                await SynchronizeAsync(pool.Snapshot.All);
                await changed.WaitAsync(cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    private async Task SynchronizeAsync(IReadOnlyList<WorkerState> workers)
    {
        var next = _watchers;
        var gone = new List<CircuitWatcher>();
        foreach (var (id, (model, watcher)) in _watchers)
        {
            if (workers.FirstOrDefault(worker => worker.Id.Equals(id, StringComparison.OrdinalIgnoreCase)) is { } same
                && IsSame(model, same.Model))
            {
                watcher.Nudge();
                continue;
            }

            next = next.Remove(id);
            gone.Add(watcher);
        }

        foreach (var worker in workers)
        {
            var model = worker.Model;
            if (model.ControlEndPoint is null || next.ContainsKey(model.Id))
                continue;
            var target = new ControlPortTarget(
                model.Id, model.ControlEndPoint, new ControlCredentials(model.ControlCookie, model.ControlPassword),
                model.RequestTo(model.ControlEndPoint).Binding)
            {
                Country = model.Country,
            };

            // A managed tor ends with us, and what it was told with it.
            var memory = ExclusionMemory.In(model.IsManaged ? null : directory.Path, model.Id, model.ControlEndPoint.ToString()!, logger);
            var watcher = new CircuitWatcher(target, options, _epochs, memory, _timing, time, logger);
            next = next.Add(model.Id, new Watched(model, watcher));
            if (TakeAdopted(model.Id) is { } state)
                watcher.Adopt(state);
            watcher.Start(Warming, worker);
        }

        Volatile.Write(ref _watchers, next);
        foreach (var worker in workers)
        {
            if (!next.ContainsKey(worker.Id))
                worker.Warm = null;
        }

        foreach (var watcher in gone)
            await watcher.DisposeAsync();
    }

    private static bool IsSame(WorkerModel one, WorkerModel other) =>
        Equals(one.ControlEndPoint, other.ControlEndPoint)
            && one.ControlCookie == other.ControlCookie
            && one.ControlPassword == other.ControlPassword
            && one.Country == other.Country
            && one.Link == other.Link;

    private sealed record Watched(WorkerModel Model, CircuitWatcher Watcher);
}
