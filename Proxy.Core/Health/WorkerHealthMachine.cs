using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>What one signal led to.</summary>
/// <param name="Next">The state from now on.</param>
/// <param name="Transitions">In order; DEAD and the RECOVERY that follows at once are two.</param>
/// <param name="WantsCanary">A probe should be made at once.</param>
/// <param name="RaisesAlert">"Worker requires manual intervention".</param>
/// <param name="BeginsSlowStart">It is back in service and should get its share by and by.</param>
internal readonly record struct HealthStep(
    WorkerHealthState Next, IReadOnlyList<HealthTransition> Transitions, bool WantsCanary = false, bool RaisesAlert = false,
    bool BeginsSlowStart = false);

/// <summary>
/// HEALTHY → SUSPECT → DEAD → RECOVERY → HEALTHY as a pure function of state, signal, time and rules. DEAD is passed
/// through: no state rests in it.
/// </summary>
/// <remarks>
/// An ambiguous failure counts half, once, until the canary that it asks for has decided: a success takes the half back.
/// So ambiguous failures alone, however many, never make a worker suspect or dead.
/// </remarks>
internal static class WorkerHealthMachine
{
    private const double Half = 0.5;

    public static HealthStep Step(in WorkerHealthState state, in HealthSignal signal, TimeSpan now, HealthRules rules)
    {
        switch (signal.Kind)
        {
            case HealthSignalKind.Enable:
                return Enable(state, now);
            case HealthSignalKind.ProcessDown or HealthSignalKind.ProcessStarting:
                return Start(state, now);
            case HealthSignalKind.ProcessReady:
                return state.Operational == WorkerOperationalState.Recovery
                    ? ToHealthy(state, now, HealthChange.ProcessReady)
                    : Stay(state);
        }

        return state.Operational switch
        {
            WorkerOperationalState.Healthy => InHealthy(state, signal, now, rules),
            WorkerOperationalState.Suspect => InSuspect(state, signal, now, rules),
            _ => InRecovery(state, signal.Kind, now, rules),
        };
    }

    private static HealthStep InHealthy(in WorkerHealthState state, in HealthSignal signal, TimeSpan now, HealthRules rules)
    {
        switch (signal.Kind)
        {
            case HealthSignalKind.TrafficSucceeded or HealthSignalKind.ProbePassed:
                return Stay(state with { Failures = 0, IsAmbiguous = false });
            case HealthSignalKind.TrafficAmbiguous:
                return Ambiguous(state);
            case HealthSignalKind.TrafficFailed or HealthSignalKind.ProbeFailed:
                break;
            default:
                return Stay(state);
        }

        // This failure is the first that counts; the half that led to the canary is part of it.
        var suspect = state.In(WorkerOperationalState.Suspect, now) with
        {
            Failures = 1,
            IsAmbiguous = false,
            Successes = 0,
            Deadline = now + rules.SuspectWindow,
        };
        var entered = new HealthTransition(WorkerOperationalState.Healthy, WorkerOperationalState.Suspect, HealthChange.FirstFailure);
        if (rules.FailureThreshold > 1 || signal.IsFrozen)
            return new HealthStep(suspect, [entered], WantsCanary: true);
        return ToRecovery(suspect, now, rules, HealthChange.Threshold, entered);
    }

    private static HealthStep InSuspect(in WorkerHealthState state, in HealthSignal signal, TimeSpan now, HealthRules rules)
    {
        switch (signal.Kind)
        {
            case HealthSignalKind.TrafficSucceeded or HealthSignalKind.ProbePassed:
                double failures = state.IsAmbiguous ? state.Failures - Half : state.Failures;
                var better = state with { Successes = state.Successes + 1, IsAmbiguous = false, Failures = failures };
                return better.Successes >= rules.SuccessThreshold ? ToHealthy(better, now, HealthChange.Recovered) : Stay(better);
            case HealthSignalKind.TrafficAmbiguous:
                return Ambiguous(state);
            case HealthSignalKind.TrafficFailed or HealthSignalKind.ProbeFailed:
                double count = (state.IsAmbiguous ? state.Failures - Half : state.Failures) + 1;
                var worse = state with { Failures = Math.Min(count, rules.FailureThreshold), Successes = 0, IsAmbiguous = false };
                return count >= rules.FailureThreshold && !signal.IsFrozen
                    ? ToRecovery(worse, now, rules, HealthChange.Threshold)
                    : Stay(worse);
            case HealthSignalKind.Timer when now >= state.Deadline:
                return signal.IsFrozen
                    ? Stay(state with { Deadline = now + rules.SuspectWindow })
                    : ToRecovery(state, now, rules, HealthChange.WindowOver);
            default:
                return Stay(state);
        }
    }

    private static HealthStep InRecovery(in WorkerHealthState state, HealthSignalKind kind, TimeSpan now, HealthRules rules)
    {
        // Only probes are made in recovery; what old connections still tell came too late.
        if (state.IsStarting || kind is not (HealthSignalKind.ProbePassed or HealthSignalKind.ProbeFailed))
            return Stay(state);
        if (kind == HealthSignalKind.ProbePassed)
        {
            var better = state with { Successes = state.Successes + 1, NextAttempt = now };
            return better.Successes >= rules.SuccessThreshold ? ToHealthy(better, now, HealthChange.Recovered) : Stay(better);
        }

        int last = rules.Backoff.Count - 1;
        int index = Math.Min(state.BackoffIndex + 1, last);
        bool raises = index == last && !state.IsAlertRaised;
        return new HealthStep(
            state with
            {
                Successes = 0,
                BackoffIndex = index,
                NextAttempt = now + rules.Backoff[index],
                IsAlertRaised = state.IsAlertRaised || raises,
            },
            [], RaisesAlert: raises);
    }

    private static HealthStep Enable(in WorkerHealthState state, TimeSpan now)
    {
        // A tor that still starts has no address yet; there is nothing to force.
        if (state.IsStarting)
            return Stay(state);
        return state.Operational == WorkerOperationalState.Healthy
            ? Stay(state with { Failures = 0, IsAmbiguous = false })
            : ToHealthy(state, now, HealthChange.Operator);
    }

    private static HealthStep Start(in WorkerHealthState state, TimeSpan now)
    {
        var starting = WorkerHealthState.Starting(now) with { WasHealthy = state.WasHealthy, Episode = state.Episode + 1 };
        if (state.Operational == WorkerOperationalState.Recovery)
            return Stay(state.IsStarting ? state : starting with { Since = state.Since });
        return new HealthStep(starting,
        [
            new HealthTransition(state.Operational, WorkerOperationalState.Dead, HealthChange.ProcessDown),
            new HealthTransition(WorkerOperationalState.Dead, WorkerOperationalState.Recovery, HealthChange.RecoveryBegun),
        ]);
    }

    private static HealthStep Ambiguous(in WorkerHealthState state) =>
        state.IsAmbiguous ? Stay(state) : Stay(state with { IsAmbiguous = true, Failures = state.Failures + Half }, wantsCanary: true);

    private static HealthStep ToHealthy(in WorkerHealthState state, TimeSpan now, HealthChange change)
    {
        var transition = new HealthTransition(state.Operational, WorkerOperationalState.Healthy, change);
        bool returns = state.Operational == WorkerOperationalState.Recovery && state.WasHealthy;
        return new HealthStep(WorkerHealthState.Healthy(now) with { Episode = state.Episode }, [transition], BeginsSlowStart: returns);
    }

    private static HealthStep ToRecovery(
        in WorkerHealthState state, TimeSpan now, HealthRules rules, HealthChange change, HealthTransition? before = null)
    {
        var next = state.In(WorkerOperationalState.Recovery, now) with
        {
            Successes = 0,
            IsAmbiguous = false,
            BackoffIndex = 0,
            NextAttempt = now + rules.Backoff[0],
            Deadline = null,
            IsAlertRaised = false,
            Episode = state.Episode + 1,
        };
        var dead = new HealthTransition(WorkerOperationalState.Suspect, WorkerOperationalState.Dead, change);
        var begun = new HealthTransition(WorkerOperationalState.Dead, WorkerOperationalState.Recovery, HealthChange.RecoveryBegun);
        return new HealthStep(next, before is { } first ? [first, dead, begun] : [dead, begun]);
    }

    private static HealthStep Stay(in WorkerHealthState state, bool wantsCanary = false) => new(state, [], wantsCanary);
}
