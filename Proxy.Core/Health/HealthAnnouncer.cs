using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Health.Alerts;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// Words what happens to workers, publishes it and logs it. <see cref="Publish"/> keeps the order of events and is called under the
/// monitor's lock; <see cref="WriteLog"/> is not.
/// </summary>
internal sealed partial class HealthAnnouncer(HealthEvents events, Live<HealthRules> rules, TimeProvider time, ILogger logger)
{
    private readonly ConcurrentQueue<HealthEvent> _unwritten = new();
    private readonly Lock _writing = new();

    /// <param name="reason">Why, in the words of the signal that led to it.</param>
    public HealthEvent StateChanged(WorkerState worker, in HealthTransition transition, string reason) => new(
        HealthEventKind.StateChanged, time.GetUtcNow(), worker.Id, Word(transition.From), Word(transition.To),
        Reason(transition.Change, reason));

    public HealthEvent ManualIntervention(WorkerState worker, string reason) =>
        new(HealthEventKind.ManualIntervention, time.GetUtcNow(), worker.Id, "", "", $"{HealthEvent.InterventionText} ({reason})");

    /// <summary>All workers fail at once.</summary>
    public HealthEvent FrozenAsAllFail() =>
        Frozen("all workers fail at once, as if our own network were down: none is declared dead until one succeeds");

    /// <summary>No address of the operator's choice can be reached.</summary>
    public HealthEvent FrozenAsUplinkIsDown() => Frozen(
        "no address of [Health] Connectivity can be reached, so our own network is down: no worker is declared dead until it is back");

    /// <param name="why">What showed that our own network is there.</param>
    public HealthEvent Thawed(string why) =>
        new(HealthEventKind.DemotionThawed, time.GetUtcNow(), "", "", "", $"{why}: workers are judged again");

    /// <summary>Hands events to whoever listens, and keeps them for the log.</summary>
    public void Publish(List<HealthEvent> happened)
    {
        foreach (var one in happened)
        {
            events.Publish(one);
            _unwritten.Enqueue(one);
        }
    }

    /// <summary>
    /// Logs what was published and is not logged yet. Several may call it at one time: the log has everything in the order of
    /// <see cref="Publish"/>, and what the caller has published is in it when this returns.
    /// </summary>
    public void WriteLog()
    {
        lock (_writing)
        {
            while (_unwritten.TryDequeue(out var one))
                WriteOne(one);
        }
    }

    private void WriteOne(HealthEvent happened)
    {
        switch (happened.Kind)
        {
            case HealthEventKind.StateChanged when happened.To == "healthy":
                Log.WorkerRecovered(logger, happened.Worker, happened.To, happened.From, happened.Reason);
                break;
            case HealthEventKind.StateChanged:
                Log.WorkerChanged(logger, happened.Worker, happened.From, happened.To, happened.Reason);
                break;
            case HealthEventKind.ManualIntervention:
                Log.Alert(logger, happened.Worker, happened.Reason);
                break;
            case HealthEventKind.DemotionFrozen:
                Log.DemotionFrozen(logger, happened.Reason);
                break;
            default:
                Log.DemotionThawed(logger, happened.Reason);
                break;
        }
    }

    private HealthEvent Frozen(string reason) => new(HealthEventKind.DemotionFrozen, time.GetUtcNow(), "", "", "", reason);

    private string Reason(HealthChange change, string reason) => change switch
    {
        HealthChange.WindowOver => $"{change.Word()}: suspect for {Seconds(rules.Value.SuspectWindow)} s without recovering",
        HealthChange.Threshold => string.Create(
            CultureInfo.InvariantCulture, $"{change.Word()}: {rules.Value.FailureThreshold} failures; {reason}"),
        _ => reason.Length == 0 ? change.Word() : $"{change.Word()}: {reason}",
    };

    private static string Seconds(TimeSpan value) => value.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Word(WorkerOperationalState state) => state.ToString().ToLowerInvariant();

    private static partial class Log
    {
        [LoggerMessage(HealthEventIds.WorkerRecovered, LogLevel.Information, "Worker {Worker} is {To} again (was {From}; {Reason})")]
        public static partial void WorkerRecovered(ILogger logger, string worker, string to, string from, string reason);

        [LoggerMessage(HealthEventIds.WorkerChanged, LogLevel.Warning, "Worker {Worker}: {From} -> {To} ({Reason})")]
        public static partial void WorkerChanged(ILogger logger, string worker, string from, string to, string reason);

        [LoggerMessage(AlertEventIds.Alert, LogLevel.Error, "Worker {Worker}: {Text}")]
        public static partial void Alert(ILogger logger, string worker, string text);

        [LoggerMessage(HealthEventIds.DemotionFrozen, LogLevel.Warning, "Demotion is frozen: {Reason}")]
        public static partial void DemotionFrozen(ILogger logger, string reason);

        [LoggerMessage(HealthEventIds.DemotionThawed, LogLevel.Information, "Demotion goes on: {Reason}")]
        public static partial void DemotionThawed(ILogger logger, string reason);
    }
}
