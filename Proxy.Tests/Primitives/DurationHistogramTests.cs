using TorBalancer.Primitives;

namespace TorBalancer.Tests.Primitives;

/// <summary>Durations fall into the bucket whose bound they do not exceed.</summary>
public class DurationHistogramTests
{
    [TestCase(0, 0)]
    [TestCase(5, 0, Description = "a bound is inclusive")]
    [TestCase(5.001, 1)]
    [TestCase(999.9, 7)]
    [TestCase(1000, 7)]
    [TestCase(60_000, 13)]
    [TestCase(60_000.1, 14, Description = "without a bound")]
    public void Duration_falls_into_its_bucket(double milliseconds, int bucket)
    {
        var histogram = new DurationHistogram();
        histogram.Observe(TimeSpan.FromMilliseconds(milliseconds));

        long[] counts = new long[DurationHistogram.Bounds.Count + 1];
        histogram.CopyTo(counts);
        Assert.That(Array.IndexOf(counts, 1), Is.EqualTo(bucket));
        Assert.That(counts.Sum(), Is.EqualTo(1));
        Assert.That(histogram.Sum, Is.EqualTo(milliseconds / 1000).Within(1e-6));
    }

    [Test]
    public void Bounds_ascend() => Assert.That(DurationHistogram.Bounds, Is.Ordered.And.Unique);

    [Test]
    public void Nothing_is_lost_when_several_observe()
    {
        var histogram = new DurationHistogram();
        Parallel.For(0, 8, _ =>
        {
            for (int i = 0; i < 10_000; i++)
                histogram.Observe(TimeSpan.FromMilliseconds(i));
        });

        long[] counts = new long[DurationHistogram.Bounds.Count + 1];
        histogram.CopyTo(counts);
        Assert.That(counts.Sum(), Is.EqualTo(80_000));
    }
}
