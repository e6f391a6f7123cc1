using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Reload;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Server;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Reload;

/// <summary>
/// Puts another configuration into force while the daemon runs, whole or not at all: first it is read and judged, then new addresses
/// are bound, and only then anything changes. One at a time. What lives goes on: connections, counters, health, sessions.
/// </summary>
internal sealed partial class ConfigurationReloader(
    RunningConfiguration running, LiveOptions live, ProxyServer server, WorkerPool pool, WorkerHosts hosts, TimeProvider time,
    ILogger<ConfigurationReloader> logger) : IAsyncDisposable
{
    /// <summary>How often it is looked whether the last connection of a worker that leaves has finished.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(200);

    private readonly SemaphoreSlim _one = new(1, 1);

    // Of who comes and goes the log says it in the order in which it happened.
    private readonly Lock _coming = new();
    private readonly CancellationTokenSource _stop = new();
    private Task? _watching;

    /// <summary>Addresses beside the proxy's listeners; null: there are none.</summary>
    public IReloadBinding? Binding { get; init; }

    /// <summary>Reads the configuration again and puts it into force.</summary>
    /// <param name="by">Who asked for it, for the log.</param>
    public async Task<ReloadOutcome> ReloadAsync(string by)
    {
        await _one.WaitAsync();
        try
        {
            // How long the stop may take was said when it began.
            if (server.Serving.Stage >= ServingStage.LameDuck || server.Connections.Stopping.IsCancellationRequested)
                return ReloadOutcome.Stopping;

            // Files are read, which may take a while where they are elsewhere.
            var next = await Task.Run(running.Read);
            var outcome = await ApplyAsync(next);
            Tell(by, next, outcome);
            return outcome;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>
    /// Reads again what listeners' UsersFiles hold, because one has changed; the configuration itself is not read. A file that cannot be
    /// taken changes nothing.
    /// </summary>
    public async Task<ReloadOutcome> ReloadUsersAsync()
    {
        await _one.WaitAsync();
        try
        {
            if (server.Connections.Stopping.IsCancellationRequested)
                return ReloadOutcome.Stopping;
            var next = await Task.Run(() => running.With(running.Changes));
            var outcome = await ApplyAsync(next);
            if (outcome.IsDone)
            {
                foreach (var change in outcome.Changed)
                    Log.UsersRead(logger, change.ToString());
                foreach (var warning in next.Result.Warnings.Where(one => IsOfUsers(one, next)))
                    Log.Warning(logger, warning.ToString());
                return outcome;
            }

            Log.UsersNotRead(logger, outcome.Errors.Count);
            foreach (var error in outcome.Errors)
                Log.Error(logger, error.ToString());
            return outcome;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Puts a change of the operator's into force; serialised with reloads.</summary>
    /// <param name="prepare">Makes the configuration to put into force, and what is to be done right before; null: it is refused.</param>
    public async Task<ReloadOutcome?> ChangeAsync(Func<RunningConfiguration, (NextConfiguration Next, Action? Before)?> prepare)
    {
        await _one.WaitAsync();
        try
        {
            if (server.Connections.Stopping.IsCancellationRequested)
                return ReloadOutcome.Stopping;
            if (prepare(running) is not { } change)
                return null;
            var outcome = await ApplyAsync(change.Next, change.Before);
            foreach (var one in outcome.Changed)
                Log.KeyChanged(logger, one.ToString());
            return outcome;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>The workers that DNS has named.</summary>
    public IReadOnlyList<WorkerChange> Discovered => running.Discovered;

    /// <summary>Nothing is reloaded or changed until what comes back is disposed; whoever asks for it meanwhile waits.</summary>
    public async Task<IDisposable> HoldAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        return new Hold(_one);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_watching is not null)
            await _watching;
        _stop.Dispose();
        _one.Dispose();
    }

    /// <summary>The others were said when the configuration was read.</summary>
    private static bool IsOfUsers(ConfigurationIssue warning, NextConfiguration next) =>
        warning.Origin.Layer == ConfigurationLayer.File
            && next.Result.Options.Listeners.Any(listener => listener.UsersFile == warning.Origin.Name);

    private async Task<ReloadOutcome> ApplyAsync(NextConfiguration next, Action? before = null)
    {
        if (!next.Result.IsValid)
            return ReloadOutcome.Failed(next.Result.Errors);
        var options = next.Result.Options;
        if (ForbiddenLinks(next) is { Count: > 0 } forbidden)
            return ReloadOutcome.Failed(forbidden);
        before?.Invoke();
        ListenerChange? listeners = null;
        IPreparedBinding? binding = null;
        try
        {
            // The start opens the listeners, by what is in force then.
            if (server.Serving.Stage != ServingStage.Starting)
            {
                binding = Binding?.Prepare(options);
                listeners = await server.PrepareAsync(ListenerModel.AllOf(options));
            }
        }
        catch (ReloadBindingException failure)
        {
            return NotBound(next, failure.Section, failure.Key, failure.Message);
        }
        catch (ListenException failure)
        {
            binding?.Undo();
            return NotBound(next, $"Listener:{failure.Listener}", "Address", failure.Message);
        }

        // Nothing fails from here on.
        live.Set(options);
        hosts.Replace(options.Workers);
        ApplyWorkers([.. options.Workers.Select(WorkerModel.Of)]);
        _watching ??= WatchAsync();
        binding?.Apply();
        if (listeners is not null)
            await server.ApplyAsync(listeners);
        running.Take(next);
        return new ReloadOutcome(next.Changes, next.RestartNeeded, []);
    }

    private static ReloadOutcome NotBound(NextConfiguration next, string section, string key, string message)
    {
        var subject = new IssueSubject(section, key, next.Result.Given.Find(section, key)?.Text);
        return ReloadOutcome.Failed([new ConfigurationIssue(next.Result.Given.OriginOf(section, key), message) { Subject = subject }]);
    }

    /// <summary>What would keep the daemon from starting.</summary>
    private List<ConfigurationIssue> ForbiddenLinks(NextConfiguration next)
    {
        var forbidden = new List<ConfigurationIssue>();
        foreach (var worker in next.Result.Options.Workers.Where(static worker => worker.WgInterface.Length > 0))
        {
            bool isKnown = pool.Find(worker.Name)?.Model.Link?.Interface == worker.WgInterface;
            if (isKnown || LinkFault.WhyForbidden(worker.WgInterface) is not { } why)
                continue;
            string section = $"Worker:{worker.Name}";
            forbidden.Add(
                new ConfigurationIssue(
                    next.Result.Given.OriginOf(section, "WgInterface"), $"[{section}] WgInterface = {worker.WgInterface}: {why}")
                {
                    Subject = new IssueSubject(section, "WgInterface", worker.WgInterface),
                });
        }

        return forbidden;
    }

    private void ApplyWorkers(IReadOnlyList<WorkerModel> models)
    {
        lock (_coming)
        {
            var change = pool.Apply(models, keepsManaged: true);
            foreach (var worker in change.Added)
                Log.WorkerAdded(logger, worker.Id, worker.Model.SocksEndPoint.ToString()!);
            foreach (var worker in change.Leaving)
                Log.WorkerLeaves(logger, worker.Id, worker.Active);
            foreach (var worker in change.Gone)
                Log.WorkerGone(logger, worker.Id);
        }
    }

    private async Task WatchAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            // Taken before the workers are looked at: a change in between is seen in the next round.
            var changed = pool.Changed;
            bool goesOn;
            lock (_coming)
            {
                goesOn = pool.RemoveFinished(out var left);
                foreach (var worker in left)
                    Log.WorkerGone(logger, worker.Id);
            }

            var wait = goesOn ? Task.Delay(LookInterval, time, _stop.Token) : changed.WaitAsync(_stop.Token);
            await wait.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Tell(string by, NextConfiguration next, ReloadOutcome outcome)
    {
        foreach (var warning in next.Result.Warnings)
            Log.Warning(logger, warning.ToString());
        if (!outcome.IsDone)
        {
            Log.Failed(logger, by, next.Result.Source, outcome.Errors.Count);
            foreach (var error in outcome.Errors)
                Log.Error(logger, error.ToString());
            return;
        }

        Log.Reloaded(logger, by, next.Result.Source, outcome.Changed.Count, outcome.RestartNeeded.Count);
        foreach (var change in outcome.Changed)
            Log.KeyChanged(logger, change.ToString());
        foreach (var change in outcome.RestartNeeded)
            Log.RestartNeeded(logger, change.ToString());
    }

    private sealed class Hold(SemaphoreSlim one) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
                one.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            ReloadEventIds.Reloaded, LogLevel.Information,
            "Reloaded by {By} from {Source}: {Changed} changes are in force, {Restart} need a restart")]
        public static partial void Reloaded(ILogger logger, string by, string source, int changed, int restart);

        [LoggerMessage(ReloadEventIds.KeyChanged, LogLevel.Information, "Changed: {Change}")]
        public static partial void KeyChanged(ILogger logger, string change);

        [LoggerMessage(ReloadEventIds.RestartNeeded, LogLevel.Warning, "Needs a restart, and is as it was: {Change}")]
        public static partial void RestartNeeded(ILogger logger, string change);

        [LoggerMessage(
            ReloadEventIds.ReloadFailed, LogLevel.Error,
            "The reload by {By} from {Source} failed; the configuration is as it was. {Count} errors follow")]
        public static partial void Failed(ILogger logger, string by, string source, int count);

        [LoggerMessage(ReloadEventIds.ReloadError, LogLevel.Error, "{Error}")]
        public static partial void Error(ILogger logger, string error);

        [LoggerMessage(ReloadEventIds.ReloadWarning, LogLevel.Warning, "{Warning}")]
        public static partial void Warning(ILogger logger, string warning);

        [LoggerMessage(ReloadEventIds.UsersRead, LogLevel.Information, "A file of users has changed: {Change}")]
        public static partial void UsersRead(ILogger logger, string change);

        [LoggerMessage(
            ReloadEventIds.UsersNotRead, LogLevel.Error,
            "A file of users has changed and cannot be taken; who could log in before still can. {Count} errors follow")]
        public static partial void UsersNotRead(ILogger logger, int count);

        [LoggerMessage(
            ReloadEventIds.WorkerLeaves, LogLevel.Information, "Worker {Worker} leaves: no new connections; {Active} live ones finish")]
        public static partial void WorkerLeaves(ILogger logger, string worker, int active);

        [LoggerMessage(ReloadEventIds.WorkerGone, LogLevel.Information, "Worker {Worker} is gone: it has no connection left")]
        public static partial void WorkerGone(ILogger logger, string worker);

        [LoggerMessage(
            ReloadEventIds.WorkerAdded, LogLevel.Information,
            "Worker {Worker} was added, at {Address}")]
        public static partial void WorkerAdded(ILogger logger, string worker, string address);
    }
}
