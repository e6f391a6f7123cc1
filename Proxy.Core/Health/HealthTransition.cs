using TorBalancer.Workers;
using static TorBalancer.Workers.WorkerOperationalState;

namespace TorBalancer.Health;

/// <summary>Why a worker changed its state. The snake_case word is contract: log, alerts and API show it.</summary>
internal enum HealthChange : byte
{
    FirstFailure,
    Recovered,
    Threshold,
    WindowOver,
    ProcessDown,
    RecoveryBegun,
    ProcessReady,
    Operator,
}

/// <summary>One row of the table of transitions.</summary>
internal readonly record struct HealthTransition(WorkerOperationalState From, WorkerOperationalState To, HealthChange Change);

/// <summary>The table of all transitions there are; docs/health.md shows it, and a test holds the machine to it.</summary>
internal static class HealthTransitions
{
    public static IReadOnlyList<(HealthTransition Transition, string When)> Table { get; } =
    [
        Row(Healthy, Suspect, HealthChange.FirstFailure, "the first failure that counts: a connection's or a probe's"),
        Row(Healthy, Dead, HealthChange.ProcessDown, "the process of a managed worker is gone"),
        Row(Suspect, Healthy, HealthChange.Recovered, "`SuccessThreshold` successes in a row, of connections or probes"),
        Row(Suspect, Healthy, HealthChange.Operator, "the operator enabled it"),
        Row(Suspect, Dead, HealthChange.Threshold, "`FailureThreshold` failures, the first one included"),
        Row(Suspect, Dead, HealthChange.WindowOver, "`SuspectWindow` without having become healthy"),
        Row(Suspect, Dead, HealthChange.ProcessDown, "the process of a managed worker is gone"),
        Row(Dead, Recovery, HealthChange.RecoveryBegun, "at once"),
        Row(Recovery, Healthy, HealthChange.Recovered, "`SuccessThreshold` complete probe sequences in a row"),
        Row(Recovery, Healthy, HealthChange.ProcessReady, "the process of a managed worker is ready"),
        Row(Recovery, Healthy, HealthChange.Operator, "the operator enabled it"),
    ];

    public static string Word(this HealthChange change) => change switch
    {
        HealthChange.FirstFailure => "first_failure",
        HealthChange.Recovered => "recovered",
        HealthChange.Threshold => "threshold",
        HealthChange.WindowOver => "window_over",
        HealthChange.ProcessDown => "process_down",
        HealthChange.RecoveryBegun => "recovery_begun",
        HealthChange.ProcessReady => "process_ready",
        _ => "operator",
    };

    private static (HealthTransition Transition, string When) Row(
        WorkerOperationalState from, WorkerOperationalState to, HealthChange change, string when) =>
        (new HealthTransition(from, to, change), when);
}
