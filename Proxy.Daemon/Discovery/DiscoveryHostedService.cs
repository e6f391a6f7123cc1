using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Reload;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Reload;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Discovery;

/// <summary>
/// Keeps the pool in step with a DNS zone. What the zone names is put into force as a reload would; what a resolver that fails, or an
/// answer without workers, says changes nothing: it would take all of them away at once.
/// </summary>
/// <param name="predecessor">Has asked already; null: nobody has.</param>
internal sealed partial class DiscoveryHostedService(
    TorBalancerOptions options, ConfigurationReloader reloader, DiscoveryState state, TimeProvider time,
    ILogger<DiscoveryHostedService> logger, RunningConfiguration running, Predecessor? predecessor = null)
    : IHostedService, IDisposable
{
    /// <summary>While no worker is known at all.</summary>
    private static readonly TimeSpan SoonAgain = TimeSpan.FromSeconds(1);

    /// <summary>How long the start waits for the first answer: it then goes on without.</summary>
    private static readonly TimeSpan FirstLimit = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stop = new();
    private readonly DnsWorkers? _dns = options.Discovery.IsOn ? new DnsWorkers(options.Discovery) : null;
    private IReadOnlyDictionary<string, IPAddress> _addresses = new Dictionary<string, IPAddress>();
    private Task _asking = Task.CompletedTask;
    private string? _said;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_dns is null)
            return;
        var known = predecessor?.State?.Discovered ?? [];
        if (known.Count == 0)
            state.Await();
        else
            await PutAsync([.. known.Select(static one => new WorkerChange(one.Id, [.. one.Keys]) { IsDiscovered = true })]);
        _asking = AskAsync(_dns, _stop.Token);

        // Who takes over has them already, and clients wait meanwhile.
        if (known.Count > 0)
            return;
        await Task.WhenAny(state.FirstAnswer, Task.Delay(FirstLimit, time, cancellationToken));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stop.Dispose();

    private async Task AskAsync(DnsWorkers dns, CancellationToken stopping)
    {
        while (true)
        {
            var answer = await dns.AskAsync(_addresses, stopping);
            string? problem = answer.Problem;
            if (answer.Workers.Count > 0)
            {
                _addresses = answer.Addresses;
                problem = await PutAsync(answer.Workers) ?? problem;
            }

            Tell(problem);
            state.Answered(running.Discovered.Count, problem, time.GetUtcNow());
            var wait = running.Discovered.Count == 0 && options.Discovery.Interval > SoonAgain ? SoonAgain : options.Discovery.Interval;
            await Task.Delay(wait, time, stopping);
        }
    }

    /// <summary>Why it cannot be put into force; null: it is.</summary>
    private async Task<string?> PutAsync(IReadOnlyList<WorkerChange> workers)
    {
        var before = running.Discovered;
        if (IsSame(before, workers))
            return null;
        var outcome = await reloader.ChangeAsync(running => (running.WithDiscovered(workers), null));
        if (outcome is null or { IsStopping: true })
            return null;
        if (!outcome.IsDone)
            return outcome.Errors[0].Message;
        Log.Changed(
            logger, options.Discovery.Name, workers.Count, Names(workers.Where(one => !before.Any(old => old.IsOf(one.Id)))),
            Names(before.Where(old => !workers.Any(one => one.IsOf(old.Id)))));
        return null;
    }

    private void Tell(string? problem)
    {
        if (problem is not null && problem != _said)
            Log.Kept(logger, options.Discovery.Name, options.Discovery.Resolver!, problem, running.Discovered.Count);
        else if (problem is null && _said is not null)
            Log.Answers(logger, options.Discovery.Resolver!);
        _said = problem;
    }

    private static bool IsSame(IReadOnlyList<WorkerChange> one, IReadOnlyList<WorkerChange> other) =>
        one.Count == other.Count && one.Zip(other).All(static pair => pair.First.Id == pair.Second.Id
            && pair.First.Keys.SequenceEqual(pair.Second.Keys));

    private static string Names(IEnumerable<WorkerChange> workers) =>
        workers.Select(static one => one.Id).ToList() is { Count: > 0 } names ? string.Join(", ", names) : "none";

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.DiscoveryChanged, LogLevel.Information, "{Name} names {Count} workers; new: {Added}; no longer: {Removed}")]
        public static partial void Changed(ILogger logger, string name, int count, string added, string removed);

        [LoggerMessage(
            HostingEventIds.DiscoveryKept, LogLevel.Warning,
            "{Name} could not be asked for workers at {Resolver}: {Problem}. The {Count} that are known stay")]
        public static partial void Kept(ILogger logger, string name, IPEndPoint resolver, string problem, int count);

        [LoggerMessage(HostingEventIds.DiscoveryAnswers, LogLevel.Information, "{Resolver} answers again")]
        public static partial void Answers(ILogger logger, IPEndPoint resolver);
    }
}
