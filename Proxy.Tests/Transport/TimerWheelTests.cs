using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

public class TimerWheelTests
{
    /// <summary>A slot is 10 ms wide.</summary>
    private const int Tick = 10;

    [Test]
    public void Timers_fire_once_never_early_and_within_a_slot([Values(1, 2, 3, 4, 5)] int seed)
    {
        var random = new Random(seed);
        long now = random.Next(1_000_000);
        var wheel = new TimerWheel(now);
        var timers = new List<Recorded>();
        for (int step = 0; step < 20_000; step++)
        {
            if (random.Next(3) != 0)
            {
                long delay = random.Next(4) switch
                {
                    0 => random.Next(50),
                    1 => random.Next(2_000),
                    2 => random.Next(100_000),
                    _ => random.Next(10_000_000),
                };
                var timer = new Recorded(() => now);
                wheel.Add(timer, now + delay);
                timers.Add(timer);
            }

            if (timers.Count > 0 && random.Next(4) == 0)
            {
                var removed = timers[random.Next(timers.Count)];
                wheel.Remove(removed);
                removed.Removed |= removed.FiredAt is null;
            }

            // The loop wakes when it was told to, or earlier because something else happened.
            int wait = wheel.MillisecondsToNext(now);
            now += wait < 0 ? random.Next(100) : random.Next(2) == 0 ? wait : Math.Min(wait, random.Next(200));
            wheel.Advance(now);
        }

        while (wheel.MillisecondsToNext(now) is var wait and >= 0)
        {
            now += Math.Max(1, wait);
            wheel.Advance(now);
        }

        Assert.That(wheel.Count, Is.Zero);
        foreach (var timer in timers)
        {
            if (timer.Removed)
                Assert.That(timer.FiredAt, Is.Null);
            else
                Assert.That(timer.FiredAt, Is.InRange(timer.Due, timer.Due + (2 * Tick)));
            Assert.That(timer.Fired, Is.LessThanOrEqualTo(1));
        }
    }

    [Test]
    public void Timer_may_remove_others_and_set_itself_again_while_it_is_told()
    {
        var wheel = new TimerWheel(0);
        var second = new Recorded(static () => 0);
        int told = 0;
        var first = new Acting(self =>
        {
            wheel.Remove(second);
            if (++told < 3)
                wheel.Add(self, told * 100);
        });
        wheel.Add(second, 100);
        wheel.Add(first, 100);
        for (long now = 0; now < 1000; now += Tick)
            wheel.Advance(now);

        Assert.That(told, Is.EqualTo(3));
        Assert.That(second.Fired, Is.Zero);
        Assert.That(wheel.Count, Is.Zero);
    }

    [Test]
    public void A_long_sleep_tells_everything_that_is_due_by_then()
    {
        var wheel = new TimerWheel(0);
        var timers = Enumerable.Range(1, 1000).Select(static i => (Timer: new Recorded(static () => 0), Due: i * 777L)).ToList();
        foreach (var (timer, due) in timers)
            wheel.Add(timer, due);
        wheel.Advance(400_000);

        Assert.That(
            timers.Where(static one => one.Timer.Fired > 0).Select(static one => one.Due),
            Is.EquivalentTo(timers.Select(static one => one.Due).Where(static due => due <= 400_000)));
    }

    private sealed class Recorded(Func<long> now) : LoopTimer
    {
        public int Fired { get; private set; }

        public long? FiredAt { get; private set; }

        public bool Removed { get; set; }

        internal override void OnTimer()
        {
            Fired++;
            FiredAt = now();
        }
    }

    private sealed class Acting(Action<LoopTimer> action) : LoopTimer
    {
        internal override void OnTimer() => action(this);
    }
}
