using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Warm;

namespace TorBalancer.Tests.TorControl.Warm;

/// <summary>Estimator, planner and budget, driven by a clock by hand.</summary>
public sealed class WarmPlannerTests
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(25), BuildTime = TimeSpan.FromMilliseconds(400);

    [TestCase(0.5, 30, true, 400, 3, 3)]
    [TestCase(2.5, 150, true, 400, 5, 5)]
    [TestCase(5, 300, true, 400, 8, 8)]
    [TestCase(5, 300, true, 2000, 16, 16)]
    [TestCase(0.05, 3, true, 400, 1, 1)]
    [TestCase(0.2, 2, false, 400, 2, 2)]
    [TestCase(0, 0, false, 400, 0, 0)]
    public void Target_covers_what_comes_while_one_is_built(
        double perSecond, int lastMinute, bool isSteady, int buildMs, int least, int most) =>
        Assert.That(
            WarmPlanner.Target(perSecond, lastMinute, isSteady, TimeSpan.FromMilliseconds(buildMs), 16), Is.InRange(least, most));

    [Test]
    public void Target_is_never_more_than_was_needed_lately()
    {
        for (int lastMinute = 0; lastMinute < 100; lastMinute++)
        {
            Assert.That(
                WarmPlanner.Target(50, lastMinute, isSteady: false, TimeSpan.FromSeconds(5), 64), Is.LessThanOrEqualTo(lastMinute));
            Assert.That(
                WarmPlanner.Target(50, lastMinute, isSteady: true, TimeSpan.FromSeconds(5), 64),
                Is.LessThanOrEqualTo(Math.Max(lastMinute / 4, Math.Min(lastMinute, 1))));
        }
    }

    [Test]
    public void Demand_rises_within_seconds_and_is_forgotten_after_a_minute()
    {
        var clock = new ManualTimeProvider();
        var demand = new FreshDemand(clock);
        Assert.That((demand.PerSecond, demand.LastMinute, demand.IsSteady), Is.EqualTo((0.0, 0, false)));
        for (int i = 0; i < 8; i++)
        {
            demand.Add();
            clock.Advance(TimeSpan.FromMilliseconds(200));
        }

        Assert.That(demand.PerSecond, Is.InRange(4, 6));
        Assert.That(demand.IsSteady, Is.False);
        clock.Advance(TimeSpan.FromSeconds(15));
        Assert.That(demand.PerSecond, Is.InRange(0.3, 0.6), "of the last twenty seconds");
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That((demand.PerSecond, demand.LastMinute, demand.IsSteady), Is.EqualTo((0.0, 0, false)));
    }

    /// <summary>Identities come by chance; how many found a clean circuit, and how many circuits were in vain.</summary>
    [TestCase(0.5, 60)]
    [TestCase(2.5, 60)]
    [TestCase(5, 25)] // The budget ends it after half a minute.
    [TestCase(0.1, 600)]
    public void Steady_demand_finds_a_clean_circuit_and_a_quarter_at_most_stands_unused(double perSecond, int seconds)
    {
        var run = new Run(seed: 7);
        run.For(TimeSpan.FromSeconds(Math.Max(8, 5 / perSecond)), perSecond);
        var (before, launched) = (run.Served, run.Launched);
        run.Cold = 0;
        run.For(TimeSpan.FromSeconds(seconds), perSecond);
        int used = run.Served - before;

        Assert.That(run.Cold, Is.LessThanOrEqualTo(perSecond < 0.3 ? used / 10 : used / 100), $"of {used}");
        Assert.That(run.Launched - launched - used, Is.LessThanOrEqualTo(used / 4));
        Assert.That(run.Clean, Is.LessThanOrEqualTo(Math.Max(used * 60 / seconds / 4, 1)));
    }

    [Test]
    public void Day_without_demand_launches_none_and_what_stood_ready_is_enough_for_the_first_ones()
    {
        var run = new Run(seed: 3);
        run.For(TimeSpan.FromSeconds(60), 0.5);
        int launched = run.Launched;
        int clean = run.Clean;
        run.For(TimeSpan.FromDays(1), 0);
        Assert.That(run.Launched - launched, Is.Zero);
        Assert.That(run.Clean, Is.GreaterThanOrEqualTo(clean).And.GreaterThanOrEqualTo(1));

        run.Cold = 0;
        run.Arrive();
        run.For(TimeSpan.FromSeconds(2), 0);
        run.Arrive();
        run.For(TimeSpan.FromSeconds(2), 0);
        run.Arrive();
        Assert.That(run.Cold, Is.Zero);
    }

    [Test]
    public void Budget_stays_below_what_guards_count_as_abuse()
    {
        var clock = new ManualTimeProvider();
        var budget = new LaunchBudget(clock);
        int taken = 0;
        for (int second = 0; second < 600; second++)
        {
            while (budget.TryTake())
                taken++;
            Assert.That(taken, Is.LessThan(90 + (3 * second)));
            clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.That(taken, Is.GreaterThan(600 * 2.5), "and uses it");
    }

    [Test]
    public void Three_failures_in_a_row_pause_and_each_pause_is_longer_until_one_is_built()
    {
        var clock = new ManualTimeProvider();
        var budget = new LaunchBudget(clock);
        var pauses = new List<double>();
        for (int round = 0; round < 7; round++)
        {
            Assert.That((budget.Failed(), budget.Failed(), budget.Failed()), Is.EqualTo((false, false, true)));
            Assert.That(budget.TryTake(), Is.False);
            int seconds = 0;
            for (; budget.IsPaused; seconds++)
                clock.Advance(TimeSpan.FromSeconds(1));
            pauses.Add(seconds);
            Assert.That(budget.TryTake(), Is.True);
        }

        Assert.That(pauses, Is.EqualTo(new[] { 15, 30, 60, 120, 240, 300, 300 }));
        budget.Built();
        Assert.That((budget.Failed(), budget.Failed(), budget.Failed()), Is.EqualTo((false, false, true)));
        clock.Advance(TimeSpan.FromSeconds(15));
        Assert.That(budget.IsPaused, Is.False);
    }

    [Test]
    public void Circuits_that_are_torn_down_as_soon_as_they_are_built_pause_until_one_is_used()
    {
        var clock = new ManualTimeProvider();
        var budget = new LaunchBudget(clock);
        Assert.That(BuiltAndTornDown(), Is.EqualTo((false, false, true)));
        Assert.That(budget.TryTake(), Is.False);
        clock.Advance(TimeSpan.FromSeconds(15));
        Assert.That(budget.TryTake(), Is.True);
        Assert.That(BuiltAndTornDown(), Is.EqualTo((false, false, true)), "none of them was of use");
        clock.Advance(TimeSpan.FromSeconds(15));
        Assert.That(budget.IsPaused, Is.True, "twice as long");
        budget.Used();
        Assert.That(budget.IsPaused, Is.False);
        for (int i = 0; i < 12; i++)
            Assert.That(budget.TornDown(), Is.False, "all at once: one link to a guard");

        (bool, bool, bool) BuiltAndTornDown() => (Once(), Once(), Once());

        bool Once()
        {
            budget.Built();
            clock.Advance(TimeSpan.FromSeconds(2));
            return budget.TornDown();
        }
    }

    /// <summary>A worker whose circuits all take the same time, and identities that come by chance.</summary>
    private sealed class Run
    {
        private readonly ManualTimeProvider _clock = new();
        private readonly FreshDemand _demand;
        private readonly LaunchBudget _budget;
        private readonly Queue<DateTimeOffset> _building = new();
        private readonly SeededRandom _random;

        public Run(int seed)
        {
            _random = new SeededRandom(seed);
            _demand = new FreshDemand(_clock);
            _budget = new LaunchBudget(_clock);
        }

        public int Launched { get; private set; }

        public int Served { get; private set; }

        public int Cold { get; set; }

        public int Clean { get; private set; }

        public void For(TimeSpan time, double perSecond)
        {
            const int parts = 1_000_000;

            // Nothing happens between two steps of a quiet day.
            var step = perSecond == 0 && time > TimeSpan.FromMinutes(5) ? TimeSpan.FromSeconds(10) : Step;
            for (var at = TimeSpan.Zero; at < time; at += step)
            {
                _clock.Advance(step);
                for (; _building.TryPeek(out var due) && due <= _clock.GetUtcNow(); _building.Dequeue())
                    Clean++;
                if (_random.Next(parts) < perSecond * step.TotalSeconds * parts)
                    Arrive();
                Plan();
            }
        }

        public void Arrive()
        {
            Served++;
            _demand.Add();

            // Without one, tor builds its own, which nobody else will use.
            if (Clean > 0)
                Clean--;
            else
                (Cold, Launched) = (Cold + 1, Launched + 1);
        }

        private void Plan()
        {
            int target = WarmPlanner.Target(_demand.PerSecond, _demand.LastMinute, _demand.IsSteady, BuildTime, 16);
            for (; Clean + _building.Count < target && _budget.TryTake(); Launched++)
                _building.Enqueue(_clock.GetUtcNow() + BuildTime);
        }
    }
}
