using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>A pool with a monitor and, once started, a prober, on a clock that only the test moves.</summary>
internal sealed class HealthBench : IAsyncDisposable
{
    private readonly ListLogger _log = new();

    public HealthBench(
        int workers = 1, IPAddress? address = null, Action<HealthOptions>? configure = null, IUplinkCheck? uplink = null,
        IProbeSequence? probes = null, IRandomSource? random = null)
    {
        configure?.Invoke(Options);
        Pool.Apply(
            [
                .. Enumerable.Range(1, workers)
                    .Select(i => new WorkerModel($"worker-{i:00}", new IPEndPoint(address ?? IPAddress.Loopback, 9050 + i))),
            ]);
        if (uplink is not null)
            Uplink = new UplinkWatch(uplink, Options.CheckInterval / 4, Clock);
        var events = new HealthEvents();
        Events = new HeardEvents(events);
        Monitor = new HealthMonitor(Pool, Options, events, new NoConnections(), Uplink, Clock, new Logger<HealthMonitor>(_log));
        Prober = new HealthProber(
            Pool, Monitor, probes ?? Probes, Options, random ?? new MiddleRandom(), Clock, new Logger<HealthProber>(_log));
    }

    public HealthOptions Options { get; } = new();

    public ManualTimeProvider Clock { get; } = new();

    public WorkerPool Pool { get; } = new();

    public HeardEvents Events { get; }

    public HealthMonitor Monitor { get; }

    public HealthProber Prober { get; }

    public FakeProbes Probes { get; } = new();

    public UplinkWatch? Uplink { get; }

    public ListLogger Log => _log;

    public WorkerState Worker => Pool.Snapshot.All[0];

    /// <summary>The worker's state in the machine.</summary>
    public WorkerHealthState State => Monitor.Look(Monitor.Of(Worker)).State;

    public IEnumerable<string> Changes =>
        Events.All.Where(static one => one.Kind == HealthEventKind.StateChanged).Select(static one => $"{one.From}>{one.To}");

    /// <summary>Waits until the prober sleeps on the clock for that long.</summary>
    public async Task SleepsAsync(TimeSpan wait, CancellationToken token)
    {
        while (Clock.UntilNextTimer != wait)
        {
            token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Prober.DisposeAsync();
        if (Uplink is not null)
            await Uplink.DisposeAsync();
        Monitor.Dispose();
        _log.Dispose();
    }

    private sealed class NoConnections : IWorkerConnections
    {
        public int EndTunnels(string workerId) => 0;

        public bool HasTunnels(string workerId, bool onlyOverLink) => false;

        public int EndSilent(string workerId, bool onlyOverLink, TimeSpan silence) => 0;
    }

    /// <summary>Always the middle: no jitter.</summary>
    private sealed class MiddleRandom : IRandomSource
    {
        public int Next(int exclusiveMax) => exclusiveMax / 2;
    }
}

/// <summary>Probes whose result the test gives, one after the other.</summary>
internal sealed class FakeProbes : IProbeSequence
{
    private readonly SemaphoreSlim _begun = new(0);
    private int _running;

    /// <summary>The result of the probe under way.</summary>
    private TaskCompletionSource<ProbeReport> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Overlaps { get; private set; }

    /// <summary>How many came to their end.</summary>
    public int Ended { get; private set; }

    public bool IsRunning => Volatile.Read(ref _running) > 0;

    public bool WasInRecovery { get; private set; }

    public async Task<ProbeReport> RunAsync(WorkerState worker, bool inRecovery, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _running) > 1)
            Overlaps++;
        try
        {
            WasInRecovery = inRecovery;
            var result = _result;
            _begun.Release();
            var report = await result.Task.WaitAsync(cancellationToken);
            Ended++;
            return report;
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    public static ProbeReport Report(bool passed, string step = ProbeSteps.Circuit) =>
        new([new ProbeStep(step, passed ? ProbeStepResult.Passed : ProbeStepResult.Failed, "as the test said")]);

    /// <summary>Waits until a probe has begun.</summary>
    public Task BegunAsync(CancellationToken token) => _begun.WaitAsync(token);

    /// <summary>True when a probe has begun and nobody waited for it yet.</summary>
    public bool HasBegun => _begun.CurrentCount > 0;

    /// <summary>Ends the probe under way.</summary>
    public void End(bool passed) => End(Report(passed));

    /// <summary>Ends the probe under way: it could not be made for want of something of our own.</summary>
    public void EndForLack() => End(new ProbeReport(
        [new ProbeStep(ProbeSteps.Socks, ProbeStepResult.Skipped, "no descriptors") { IsOurLack = true }]));

    private void End(ProbeReport report)
    {
        var result = _result;
        _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        result.SetResult(report);
    }
}
