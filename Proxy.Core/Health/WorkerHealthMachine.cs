using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>What one signal led to.</summary>
/// <param name="Next">The record from now on.</param>
/// <param name="Transitions">In order; DEAD and the RECOVERY that follows at once are two.</param>
/// <param name="WantsCanary">A probe should be made at once.</param>
/// <param name="RaisesAlert">"Worker requires manual intervention".</param>
/// <param name="BeginsSlowStart">It is back in service and should get its share by and by.</param>
internal readonly record struct HealthStep(
    WorkerHealthRecord Next, IReadOnlyList<HealthTransition> Transitions, bool WantsCanary = false, bool RaisesAlert = false, bool BeginsSlowStart = false);

/// <summary>
/// HEALTHY → SUSPECT → DEAD → RECOVERY → HEALTHY as a pure function of record, signal, time and rules. DEAD is passed
/// through: no record rests in it.
/// </summary>
/// <remarks>
/// An ambiguous failure counts half, once, until the canary that it asks for has decided: a success takes the half back.
/// So ambiguous failures alone, however many, never make a worker suspect or dead.
/// </remarks>
internal static class WorkerHealthMachine
{
    private const double Half = 0.5;

    public static HealthStep Step(in WorkerHealthRecord record, in HealthSignal signal, TimeSpan now, HealthRules rules)
    {
        switch (signal.Kind)
        {
            case HealthSignalKind.Enable:
                return Enable(record, now);
            case HealthSignalKind.ProcessDown or HealthSignalKind.ProcessStarting:
                return Start(record, now);
            case HealthSignalKind.ProcessReady:
                return record.State == WorkerOperationalState.Recovery ? ToHealthy(record, now, HealthChange.ProcessReady) : Stay(record);
        }

        return record.State switch
        {
            WorkerOperationalState.Healthy => InHealthy(record, signal, now, rules),
            WorkerOperationalState.Suspect => InSuspect(record, signal, now, rules),
            _ => InRecovery(record, signal.Kind, now, rules),
        };
    }

    private static HealthStep InHealthy(in WorkerHealthRecord record, in HealthSignal signal, TimeSpan now, HealthRules rules)
    {
        switch (signal.Kind)
        {
            case HealthSignalKind.TrafficSucceeded or HealthSignalKind.ProbePassed:
                return Stay(record with { Failures = 0, IsAmbiguous = false });
            case HealthSignalKind.TrafficAmbiguous:
                return Ambiguous(record);
            case HealthSignalKind.TrafficFailed or HealthSignalKind.ProbeFailed:
                break;
            default:
                return Stay(record);
        }

        // This failure is the first that counts; the half that led to the canary is part of it.
        var suspect = record.In(WorkerOperationalState.Suspect, now) with { Failures = 1, IsAmbiguous = false, Successes = 0, Deadline = now + rules.SuspectWindow };
        var entered = new HealthTransition(WorkerOperationalState.Healthy, WorkerOperationalState.Suspect, HealthChange.FirstFailure);
        if (rules.FailureThreshold > 1 || signal.IsFrozen)
            return new HealthStep(suspect, [entered], WantsCanary: true);
        return ToRecovery(suspect, now, rules, HealthChange.Threshold, entered);
    }

    private static HealthStep InSuspect(in WorkerHealthRecord record, in HealthSignal signal, TimeSpan now, HealthRules rules)
    {
        switch (signal.Kind)
        {
            case HealthSignalKind.TrafficSucceeded or HealthSignalKind.ProbePassed:
                double failures = record.IsAmbiguous ? record.Failures - Half : record.Failures;
                var better = record with { Successes = record.Successes + 1, IsAmbiguous = false, Failures = failures };
                return better.Successes >= rules.SuccessThreshold ? ToHealthy(better, now, HealthChange.Recovered) : Stay(better);
            case HealthSignalKind.TrafficAmbiguous:
                return Ambiguous(record);
            case HealthSignalKind.TrafficFailed or HealthSignalKind.ProbeFailed:
                double count = (record.IsAmbiguous ? record.Failures - Half : record.Failures) + 1;
                var worse = record with { Failures = Math.Min(count, rules.FailureThreshold), Successes = 0, IsAmbiguous = false };
                return count >= rules.FailureThreshold && !signal.IsFrozen ? ToRecovery(worse, now, rules, HealthChange.Threshold) : Stay(worse);
            case HealthSignalKind.Timer when now >= record.Deadline:
                return signal.IsFrozen
                    ? Stay(record with { Deadline = now + rules.SuspectWindow })
                    : ToRecovery(record, now, rules, HealthChange.WindowOver);
            default:
                return Stay(record);
        }
    }

    private static HealthStep InRecovery(in WorkerHealthRecord record, HealthSignalKind kind, TimeSpan now, HealthRules rules)
    {
        // Only probes are made in recovery; what old connections still tell came too late.
        if (record.IsStarting || kind is not (HealthSignalKind.ProbePassed or HealthSignalKind.ProbeFailed))
            return Stay(record);
        if (kind == HealthSignalKind.ProbePassed)
        {
            var better = record with { Successes = record.Successes + 1, LastAttempt = now, NextAttempt = now };
            return better.Successes >= rules.SuccessThreshold ? ToHealthy(better, now, HealthChange.Recovered) : Stay(better);
        }

        int last = rules.Backoff.Count - 1;
        int index = Math.Min(record.BackoffIndex + 1, last);
        bool raises = index == last && !record.IsAlertRaised;
        return new HealthStep(
            record with
            {
                Successes = 0,
                BackoffIndex = index,
                LastAttempt = now,
                NextAttempt = now + rules.Backoff[index],
                IsAlertRaised = record.IsAlertRaised || raises,
            },
            [], RaisesAlert: raises);
    }

    private static HealthStep Enable(in WorkerHealthRecord record, TimeSpan now)
    {
        // A tor that still starts has no address yet; there is nothing to force.
        if (record.IsStarting)
            return Stay(record);
        return record.State == WorkerOperationalState.Healthy
            ? Stay(record with { Failures = 0, IsAmbiguous = false })
            : ToHealthy(record, now, HealthChange.Operator);
    }

    private static HealthStep Start(in WorkerHealthRecord record, TimeSpan now)
    {
        var starting = WorkerHealthRecord.Starting(now) with { WasHealthy = record.WasHealthy, Episode = record.Episode + 1 };
        if (record.State == WorkerOperationalState.Recovery)
            return Stay(record.IsStarting ? record : starting with { Since = record.Since });
        return new HealthStep(starting,
        [
            new HealthTransition(record.State, WorkerOperationalState.Dead, HealthChange.ProcessDown),
            new HealthTransition(WorkerOperationalState.Dead, WorkerOperationalState.Recovery, HealthChange.RecoveryBegun),
        ]);
    }

    private static HealthStep Ambiguous(in WorkerHealthRecord record) =>
        record.IsAmbiguous ? Stay(record) : Stay(record with { IsAmbiguous = true, Failures = record.Failures + Half }, wantsCanary: true);

    private static HealthStep ToHealthy(in WorkerHealthRecord record, TimeSpan now, HealthChange change)
    {
        var transition = new HealthTransition(record.State, WorkerOperationalState.Healthy, change);
        bool returns = record.State == WorkerOperationalState.Recovery && record.WasHealthy;
        return new HealthStep(WorkerHealthRecord.Healthy(now) with { Episode = record.Episode }, [transition], BeginsSlowStart: returns);
    }

    private static HealthStep ToRecovery(in WorkerHealthRecord record, TimeSpan now, HealthRules rules, HealthChange change, HealthTransition? before = null)
    {
        var next = record.In(WorkerOperationalState.Recovery, now) with
        {
            Successes = 0,
            IsAmbiguous = false,
            BackoffIndex = 0,
            LastAttempt = now,
            NextAttempt = now + rules.Backoff[0],
            Deadline = null,
            IsAlertRaised = false,
            Episode = record.Episode + 1,
        };
        var dead = new HealthTransition(WorkerOperationalState.Suspect, WorkerOperationalState.Dead, change);
        var begun = new HealthTransition(WorkerOperationalState.Dead, WorkerOperationalState.Recovery, HealthChange.RecoveryBegun);
        return new HealthStep(next, before is { } first ? [first, dead, begun] : [dead, begun]);
    }

    private static HealthStep Stay(in WorkerHealthRecord record, bool wantsCanary = false) => new(record, [], wantsCanary);
}
