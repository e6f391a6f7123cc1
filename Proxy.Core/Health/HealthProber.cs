using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// Probes every worker of the pool: one loop each, so that no two probes of a worker overlap, begun at different moments
/// of the interval, so that they do not all go out at once. Follows the pool as workers come and go.
/// </summary>
internal sealed partial class HealthProber(
    WorkerPool pool, HealthMonitor monitor, IProbeSequence sequence, Live<HealthOptions> options, IRandomSource random, TimeProvider time,
    ILogger<HealthProber> logger)
    : IAsyncDisposable
{
    private const int JitterPercent = 10;

    /// <summary>After a probe that could not be made for want of something of our own.</summary>
    internal static readonly TimeSpan AgainAfterLack = TimeSpan.FromSeconds(1);

    private readonly Dictionary<WorkerState, (Task Loop, CancellationTokenSource Stop)> _loops = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<TaskCompletionSource> _turns = new();
    private TaskCompletionSource _reconfigured = NewSignal();
    private Task? _running;

    /// <summary>Begins. Nobody is probed while [Health] Enabled is no.</summary>
    public void Start()
    {
        options.Follow(_ => LookAgain());
        _running = FollowPoolAsync();
        if (options.Value.Enabled)
            Log.Started(logger, options.Value.CheckInterval.TotalSeconds);
    }

    /// <summary>
    /// Completes when the loop that follows the pool has made a round since and every worker is being probed; never when it hangs, has not
    /// begun or has ended.
    /// </summary>
    public Task WhenTurnedAsync()
    {
        var turn = NewSignal();
        _turns.Enqueue(turn);
        LookAgain();
        return turn.Task;
    }

    /// <summary>Ends all probes and waits for them.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_running is not null)
            await _running;
        _running = null;
    }

    private async Task FollowPoolAsync()
    {
        try
        {
            while (true)
            {
                var (changed, reconfigured) = (pool.Changed, Volatile.Read(ref _reconfigured).Task);
                var workers = options.Value.Enabled ? pool.Snapshot.All : [];
                int added = 0;
                foreach (var worker in workers)
                {
                    if (!_loops.ContainsKey(worker))
                        Add(worker, added++, workers.Count);
                }

                foreach (var worker in _loops.Keys.Except(workers).ToList())
                    await RemoveAsync(worker);
                TakeTurns();
                await Task.WhenAny(changed, reconfigured).WaitAsync(_stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }

        foreach (var worker in _loops.Keys.ToList())
            await RemoveAsync(worker);
    }

    /// <param name="number">Of those that come at this time, from 0 on.</param>
    private void Add(WorkerState worker, int number, int count)
    {
        var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);

        // Of those that come together the n-th of m workers begins n/m of the interval later, and a little off that. One that is added
        // alone is looked at at once: it carries connections already.
        var offset = options.Value.CheckInterval * number / Math.Max(count, 1);
        _loops.Add(worker, (ProbeLoopAsync(worker, Jittered(offset), stop.Token), stop));
    }

    private async Task RemoveAsync(WorkerState worker)
    {
        var (loop, stop) = _loops[worker];
        await stop.CancelAsync();
        await loop;
        stop.Dispose();
        _loops.Remove(worker);
        monitor.Forget(worker);
    }

    private async Task ProbeLoopAsync(WorkerState worker, TimeSpan offset, CancellationToken cancellationToken)
    {
        var health = monitor.Of(worker);

        // As if the last probe had been so long ago that the first one is due after the offset.
        var configured = options.Value.CheckInterval;
        var interval = Jittered(configured);
        var lastEnd = monitor.Now + offset - interval;
        TimeSpan? again = null;
        while (!cancellationToken.IsCancellationRequested)
        {
            var changed = health.Changed;
            if (options.Value.CheckInterval is var current && current != configured)
                (configured, interval) = (current, Jittered(current));
            var (state, wantsCanary) = monitor.Look(health);
            var now = monitor.Now;
            var due = ProbeSchedule.Next(state, wantsCanary, lastEnd, health.LastTraffic, now, interval);
            if (health.LookAgain is { } urgent && due > urgent)
                due = urgent;

            // Nothing was found out, so nothing of the schedule has changed; and what we lack is not there at once.
            due = again ?? due;
            if (due is null || due > now)
            {
                await WaitAsync(changed, due - now, cancellationToken);
                continue;
            }

            bool isMade = await ProbeAsync(health, state, cancellationToken);
            again = isMade ? null : monitor.Now + AgainAfterLack;
            if (!isMade)
                continue;
            lastEnd = monitor.Now;
            interval = Jittered(configured);
        }
    }

    /// <summary>False: it could not be made.</summary>
    private async Task<bool> ProbeAsync(MonitoredWorker health, WorkerHealthState state, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        monitor.ProbeBegins(health);
        health.Looks();
        var run = sequence.RunAsync(health.Worker, state.Operational == WorkerOperationalState.Recovery, stop.Token);
        try
        {
            // A probe that began before the worker went out of service must not hold up its recovery.
            while (!run.IsCompleted)
            {
                var changed = health.Changed;
                if (monitor.Look(health).State.Episode != state.Episode)
                    await stop.CancelAsync();
                await Task.WhenAny(run, stop.IsCancellationRequested ? run : changed);
            }

            var report = await run;
            monitor.ProbeDone(health, report, state.Episode);
            return !report.IsInconclusive;
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            // A bug in a probe must not end the probing of that worker for ever.
            Log.Broke(logger, failure, health.Worker.Id);
            var step = new ProbeStep("probe", ProbeStepResult.Failed, failure.Message);
            monitor.ProbeDone(health, new ProbeReport([step]), state.Episode);
        }

        return true;
    }

    /// <summary>No probe loop ends before it is told to: with one that did, a worker would stay what it is for ever.</summary>
    private void TakeTurns()
    {
        if (_loops.Values.Any(static one => one.Loop.IsCompleted))
            return;
        while (_turns.TryDequeue(out var turn))
            turn.TrySetResult();
    }

    private void LookAgain() => Interlocked.Exchange(ref _reconfigured, NewSignal()).TrySetResult();

    private async Task WaitAsync(Task changed, TimeSpan? wait, CancellationToken cancellationToken)
    {
        try
        {
            if (wait is { } limit)
                await changed.WaitAsync(limit, time, cancellationToken);
            else
                await changed.WaitAsync(cancellationToken);
        }
        catch (TimeoutException)
        {
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private TimeSpan Jittered(TimeSpan value) => value * (100 - JitterPercent + random.Next((2 * JitterPercent) + 1)) / 100;

    private static partial class Log
    {
        [LoggerMessage(HealthEventIds.ProberStarted, LogLevel.Debug, "Workers are probed about every {Seconds} s")]
        public static partial void Started(ILogger logger, double seconds);

        [LoggerMessage(HealthEventIds.ProbeBroke, LogLevel.Error, "The probe of worker {Worker} broke")]
        public static partial void Broke(ILogger logger, Exception failure, string worker);
    }
}
