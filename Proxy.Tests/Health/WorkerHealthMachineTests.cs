using TorBalancer.Health;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

public class WorkerHealthMachineTests
{
    private static readonly HealthRules Rules = new(3, 2, Seconds(30), [Seconds(1), Seconds(2), Seconds(4)]);

    [Test]
    public void First_failure_makes_a_healthy_worker_suspect_and_asks_for_a_canary()
    {
        var step = Step(WorkerHealthState.Healthy(default), HealthSignalKind.TrafficFailed, Seconds(5));

        Assert.That(
            step.Transitions, Is.EqualTo([Row(WorkerOperationalState.Healthy, WorkerOperationalState.Suspect, HealthChange.FirstFailure)]));
        Assert.That(step.WantsCanary, Is.True);
        Assert.That(step.Next.Failures, Is.EqualTo(1));
        Assert.That(step.Next.Deadline, Is.EqualTo(Seconds(35)));
    }

    [TestCase((int)HealthSignalKind.TrafficFailed)]
    [TestCase((int)HealthSignalKind.ProbeFailed)]
    public void Threshold_makes_a_suspect_worker_dead_and_recovery_begins_at_once(int kind)
    {
        var failure = (HealthSignalKind)kind;
        var second = Step(Suspect(), failure, Seconds(2));
        var third = Step(second.Next, failure, Seconds(3));

        Assert.That(second.Transitions, Is.Empty);
        Assert.That(third.Transitions, Is.EqualTo([
            Row(WorkerOperationalState.Suspect, WorkerOperationalState.Dead, HealthChange.Threshold),
            Row(WorkerOperationalState.Dead, WorkerOperationalState.Recovery, HealthChange.RecoveryBegun)]));
        Assert.That(third.Next.BackoffIndex, Is.Zero);
        Assert.That(third.Next.NextAttempt, Is.EqualTo(Seconds(4)));
    }

    [Test]
    public void Threshold_of_one_passes_through_suspect()
    {
        var step = WorkerHealthMachine.Step(
            WorkerHealthState.Healthy(default), new HealthSignal(HealthSignalKind.ProbeFailed), default,
            Rules with { FailureThreshold = 1 });

        Assert.That(
            step.Transitions.Select(static one => one.To),
            Is.EqualTo([WorkerOperationalState.Suspect, WorkerOperationalState.Dead, WorkerOperationalState.Recovery]));
    }

    [Test]
    public void Window_makes_a_suspect_worker_dead_below_the_threshold()
    {
        var early = Step(Suspect(), HealthSignalKind.Timer, Seconds(29.9));
        var late = Step(early.Next, HealthSignalKind.Timer, Seconds(30));

        Assert.That(early.Transitions, Is.Empty);
        Assert.That(
            late.Transitions[0], Is.EqualTo(Row(WorkerOperationalState.Suspect, WorkerOperationalState.Dead, HealthChange.WindowOver)));
    }

    [Test]
    public void Successes_in_a_row_make_a_suspect_worker_healthy_and_a_failure_between_begins_anew()
    {
        var one = Step(Suspect(), HealthSignalKind.TrafficSucceeded, Seconds(1)).Next;
        var broken = Step(one, HealthSignalKind.TrafficFailed, Seconds(2)).Next;
        var again = Step(broken, HealthSignalKind.ProbePassed, Seconds(3));
        var healthy = Step(again.Next, HealthSignalKind.TrafficSucceeded, Seconds(4));

        Assert.That(broken.Successes, Is.Zero);
        Assert.That(again.Transitions, Is.Empty);
        Assert.That(
            healthy.Transitions, Is.EqualTo([Row(WorkerOperationalState.Suspect, WorkerOperationalState.Healthy, HealthChange.Recovered)]));
        Assert.That(healthy.Next.Failures, Is.Zero);
        Assert.That(healthy.BeginsSlowStart, Is.False);
    }

    [Test]
    public void Ambiguous_failures_alone_count_half_and_ask_once()
    {
        var state = WorkerHealthState.Healthy(default);
        int canaries = 0;
        for (int i = 0; i < 1000; i++)
        {
            var step = Step(state, HealthSignalKind.TrafficAmbiguous, Seconds(i));
            canaries += step.WantsCanary ? 1 : 0;
            state = step.Next;
        }

        Assert.That((state.Operational, state.Failures, canaries), Is.EqualTo((WorkerOperationalState.Healthy, 0.5, 1)));
        Assert.That(Step(state, HealthSignalKind.ProbePassed, default).Next.Failures, Is.Zero);
        Assert.That(Step(state, HealthSignalKind.ProbeFailed, default).Next.Operational, Is.EqualTo(WorkerOperationalState.Suspect));
    }

    [Test]
    public void Ambiguous_failures_of_a_suspect_worker_are_taken_back_by_a_success()
    {
        var half = Step(Suspect(), HealthSignalKind.TrafficAmbiguous, Seconds(1)).Next;
        var decided = Step(half, HealthSignalKind.ProbePassed, Seconds(2)).Next;

        Assert.That((half.Failures, decided.Failures, decided.Operational), Is.EqualTo((1.5, 1.0, WorkerOperationalState.Suspect)));
    }

    [Test]
    public void Recovery_waits_longer_each_time_and_alerts_once()
    {
        var state = InRecovery();
        var waits = new List<double>();
        int alerts = 0;
        var last = state.Since;
        for (int i = 0; i < 5; i++)
        {
            var now = state.NextAttempt!.Value;
            waits.Add((now - last).TotalSeconds);
            last = now;
            var step = Step(state, HealthSignalKind.ProbeFailed, now);
            alerts += step.RaisesAlert ? 1 : 0;
            state = step.Next;
        }

        Assert.That(waits, Is.EqualTo([1.0, 2, 4, 4, 4]));
        Assert.That(alerts, Is.EqualTo(1));
    }

    [Test]
    public void Alert_is_raised_again_in_the_next_episode()
    {
        var first = Step(Step(InRecovery(), HealthSignalKind.ProbeFailed, Seconds(1)).Next, HealthSignalKind.ProbeFailed, Seconds(2));
        var back = Step(Step(first.Next, HealthSignalKind.ProbePassed, Seconds(3)).Next, HealthSignalKind.ProbePassed, Seconds(3)).Next;
        var state = back;
        bool raised = false;
        for (int i = 0; i < 5; i++)
        {
            var step = Step(state, HealthSignalKind.ProbeFailed, Seconds(10 + i));
            raised |= step.RaisesAlert;
            state = step.Next;
        }

        Assert.That((first.RaisesAlert, back.Operational, raised), Is.EqualTo((true, WorkerOperationalState.Healthy, true)));
    }

    [Test]
    public void Recovery_needs_sequences_in_a_row_and_the_second_is_due_at_once()
    {
        var one = Step(InRecovery(), HealthSignalKind.ProbePassed, Seconds(10));
        var failed = Step(one.Next, HealthSignalKind.ProbeFailed, Seconds(11)).Next;
        var healthy = Step(one.Next, HealthSignalKind.ProbePassed, Seconds(11));

        Assert.That((one.Next.Operational, one.Next.NextAttempt), Is.EqualTo((WorkerOperationalState.Recovery, Seconds(10))));
        Assert.That(failed.Successes, Is.Zero);
        Assert.That(
            healthy.Transitions,
            Is.EqualTo([Row(WorkerOperationalState.Recovery, WorkerOperationalState.Healthy, HealthChange.Recovered)]));
        Assert.That(healthy.BeginsSlowStart, Is.True);
    }

    [TestCase((int)HealthSignalKind.TrafficSucceeded)]
    [TestCase((int)HealthSignalKind.TrafficFailed)]
    [TestCase((int)HealthSignalKind.TrafficAmbiguous)]
    [TestCase((int)HealthSignalKind.Timer)]
    public void Recovery_takes_no_notice_of_old_connections(int kind)
    {
        var state = InRecovery();

        Assert.That(Step(state, (HealthSignalKind)kind, Seconds(100)).Next, Is.EqualTo(state));
    }

    [Test]
    public void Enable_forces_a_worker_back_with_counters_at_zero()
    {
        foreach (var state in new[] { Suspect(), InRecovery() })
        {
            var step = Step(state, HealthSignalKind.Enable, Seconds(50));

            Assert.That(step.Transitions, Is.EqualTo([Row(state.Operational, WorkerOperationalState.Healthy, HealthChange.Operator)]));
            Assert.That((step.Next.Failures, step.Next.BackoffIndex, step.Next.Deadline), Is.EqualTo((0.0, 0, (TimeSpan?)null)));
        }

        var half = WorkerHealthState.Healthy(default) with { Failures = 0.5, IsAmbiguous = true };
        Assert.That(Step(half, HealthSignalKind.Enable, Seconds(50)).Next.Failures, Is.Zero);
    }

    [Test]
    public void Managed_worker_is_in_recovery_without_attempts_until_it_is_ready()
    {
        var starting = WorkerHealthState.Starting(default);
        var probed = Step(starting, HealthSignalKind.ProbeFailed, Seconds(5));
        var enabled = Step(starting, HealthSignalKind.Enable, Seconds(5));
        var ready = Step(starting, HealthSignalKind.ProcessReady, Seconds(9));

        Assert.That((starting.NextAttempt, probed.Next, enabled.Next), Is.EqualTo(((TimeSpan?)null, starting, starting)));
        Assert.That(
            ready.Transitions,
            Is.EqualTo([Row(WorkerOperationalState.Recovery, WorkerOperationalState.Healthy, HealthChange.ProcessReady)]));
        Assert.That(ready.BeginsSlowStart, Is.False, "its first start");
    }

    [Test]
    public void Process_that_ends_takes_its_worker_out_and_back_slowly()
    {
        foreach (var state in new[] { WorkerHealthState.Healthy(default), Suspect() })
        {
            var down = Step(state, HealthSignalKind.ProcessDown, Seconds(1));
            var ready = Step(Step(down.Next, HealthSignalKind.ProcessStarting, Seconds(2)).Next, HealthSignalKind.ProcessReady, Seconds(3));

            Assert.That(down.Transitions[0], Is.EqualTo(Row(state.Operational, WorkerOperationalState.Dead, HealthChange.ProcessDown)));
            Assert.That(
                (down.Next.Operational, down.Next.IsStarting, ready.Next.Operational),
                Is.EqualTo((WorkerOperationalState.Recovery, true, WorkerOperationalState.Healthy)));
            Assert.That(ready.BeginsSlowStart, Is.True);
        }
    }

    [Test]
    public void Frozen_nobody_dies_and_the_window_begins_anew()
    {
        var state = Suspect();
        for (int i = 0; i < 10; i++)
            state = WorkerHealthMachine.Step(state, new HealthSignal(HealthSignalKind.ProbeFailed, IsFrozen: true), Seconds(i), Rules).Next;
        var window = WorkerHealthMachine.Step(state, new HealthSignal(HealthSignalKind.Timer, IsFrozen: true), Seconds(40), Rules).Next;

        Assert.That((state.Operational, state.Failures), Is.EqualTo((WorkerOperationalState.Suspect, 3.0)));
        Assert.That((window.Operational, window.Deadline), Is.EqualTo((WorkerOperationalState.Suspect, Seconds(70))));
        Assert.That(
            Step(window, HealthSignalKind.ProbeFailed, Seconds(41)).Next.Operational, Is.EqualTo(WorkerOperationalState.Recovery),
            "once thawed");
    }

    [Test]
    public void Random_sequences_keep_to_the_table_and_reach_all_of_it()
    {
        var random = new Random(20260101);
        var allowed = HealthTransitions.Table.Select(static row => row.Transition).ToHashSet();
        var seen = new HashSet<HealthTransition>();
        var kinds = Enum.GetValues<HealthSignalKind>();
        for (int sequence = 0; sequence < 100_000; sequence++)
        {
            var rules = Rules with { FailureThreshold = random.Next(1, 5), SuccessThreshold = random.Next(1, 4) };
            var state = random.Next(4) == 0 ? WorkerHealthState.Starting(default) : WorkerHealthState.Healthy(default);
            var now = TimeSpan.Zero;
            for (int i = 0; i < 20; i++)
            {
                now += Seconds(random.Next(20));
                var step = WorkerHealthMachine.Step(
                    state, new HealthSignal(kinds[random.Next(kinds.Length)], IsFrozen: random.Next(8) == 0), now, rules);
                var at = state.Operational;
                foreach (var transition in step.Transitions)
                {
                    if (transition.From != at || !allowed.Contains(transition))
                        Assert.Fail($"sequence {sequence}: {transition} from {at}");
                    seen.Add(transition);
                    at = transition.To;
                }

                var next = step.Next;
                bool isSound = at == next.Operational && next.Operational != WorkerOperationalState.Dead
                    && next.Failures >= 0 && next.Successes >= 0 && next.BackoffIndex >= 0 && next.BackoffIndex < rules.Backoff.Count
                    && next.Deadline is not null == (next.Operational == WorkerOperationalState.Suspect)
                    && next.NextAttempt is not null == (next is { Operational: WorkerOperationalState.Recovery, IsStarting: false })
                    && next.Episode >= state.Episode && next.Since <= now;
                if (!isSound)
                    Assert.Fail($"sequence {sequence}: {state} became {next}");
                state = next;
            }
        }

        Assert.That(seen, Is.EquivalentTo(allowed));
    }

    private static TimeSpan Seconds(double value) => TimeSpan.FromSeconds(value);

    private static HealthStep Step(WorkerHealthState state, HealthSignalKind kind, TimeSpan now) =>
        WorkerHealthMachine.Step(state, new HealthSignal(kind), now, Rules);

    private static WorkerHealthState Suspect() => Step(WorkerHealthState.Healthy(default), HealthSignalKind.TrafficFailed, default).Next;

    private static WorkerHealthState InRecovery() =>
        Step(Step(Suspect(), HealthSignalKind.TrafficFailed, default).Next, HealthSignalKind.TrafficFailed, default).Next;

    private static HealthTransition Row(WorkerOperationalState from, WorkerOperationalState to, HealthChange change) =>
        new(from, to, change);
}
