using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Transport;

public class BandwidthBucketTests
{
    private const int Rate = 160_000, Piece = Rate / 16, Burst = Rate / 4;

    private readonly ManualTimeProvider _clock = new();

    [Test]
    public void In_no_time_more_moves_than_the_rate_a_burst_and_a_piece([Values(1, 7, 100)] int connections)
    {
        var bucket = new BandwidthBucket(_clock) { Rate = Rate };
        Assert.That(bucket.Piece, Is.EqualTo(Piece));
        var due = new long[connections];
        var moved = new long[connections];
        for (int i = 0; i < connections; i++)
            due[i] = bucket.Reserve(Piece, _clock.GetTimestamp());
        long total = 0, started = _clock.GetTimestamp();
        for (int step = 0; step < 4000; step++, _clock.Advance(TimeSpan.FromMilliseconds(5)))
        {
            for (int i = 0; i < connections; i++)
            {
                if (due[i] > _clock.GetTimestamp())
                    continue;
                moved[i] += Piece;
                total += Piece;
                due[i] = bucket.Reserve(Piece, _clock.GetTimestamp());
            }

            double most = (Rate * _clock.GetElapsedTime(started).TotalSeconds) + Burst + Piece;
            Assert.That(total, Is.LessThanOrEqualTo(most), "that is the promise");
        }

        // 20 s are over. Who waits has its turn before anybody else has two more.
        Assert.That(total, Is.GreaterThanOrEqualTo((Rate * 19.5) - (Piece * connections)), "and no less than the rate");
        Assert.That(moved.Max() - moved.Min(), Is.LessThanOrEqualTo(connections == 1 ? 0 : 5 * Piece), "all have the same");
    }

    [Test]
    public void What_is_given_back_is_the_next_ones()
    {
        var bucket = new BandwidthBucket(_clock) { Rate = Rate };
        for (int i = 0; i < 100; i++)
        {
            bucket.Reserve(Piece, _clock.GetTimestamp());
            bucket.Return(Piece);
        }

        Assert.That(bucket.Reserve(Burst, _clock.GetTimestamp()), Is.LessThanOrEqualTo(_clock.GetTimestamp()));
        Assert.That(bucket.IsFull(_clock.GetTimestamp()), Is.False);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(bucket.IsFull(_clock.GetTimestamp()), Is.True);
    }

    [Test]
    public void Without_a_rate_nobody_waits()
    {
        var bucket = new BandwidthBucket(_clock);
        for (int i = 0; i < 10; i++)
            Assert.That(bucket.Reserve(1 << 30, _clock.GetTimestamp()), Is.EqualTo(_clock.GetTimestamp()));
    }

    [Test]
    public void Of_several_buckets_the_slowest_decides()
    {
        var pace = new BandwidthPace(_clock, new BandwidthBucket(_clock) { Rate = 10 * Rate }, new BandwidthBucket(_clock) { Rate = Rate });
        Assert.That(pace.Piece, Is.EqualTo(Piece));
        pace.Reserve(Burst, out _);
        pace.Reserve(Piece, out long due);
        Assert.That(pace.Until(due), Is.EqualTo(TimeSpan.Zero));
        pace.Reserve(Piece, out due);
        Assert.That(pace.Until(due), Is.EqualTo(TimeSpan.FromSeconds(1.0 / 16)));
    }
}
