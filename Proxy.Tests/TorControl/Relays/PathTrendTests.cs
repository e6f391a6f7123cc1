using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Tests.TorControl.Relays;

public sealed class PathTrendTests
{
    [TestCase("", false)]
    [TestCase("--", false, Description = "two are a bad moment")]
    [TestCase("---", true)]
    [TestCase("+++---", false, Description = "half is not most")]
    [TestCase("++---", true)]
    [TestCase("------+", false, Description = "the latest found one")]
    [TestCase("++++++++++------", true, Description = "only the latest ten count")]
    [TestCase("++++++++++-----", false)]
    public void Trend_is_lost_when_most_and_the_latest_found_no_path(string outcomes, bool isLost)
    {
        var paths = new PathOutcomes(new ManualTimeProvider(), TimeSpan.FromMinutes(1));
        foreach (char outcome in outcomes)
            paths.Add(outcome == '+');
        Assert.That(paths.Trend.IsLost, Is.EqualTo(isLost));
    }

    [Test]
    public void Trend_forgets_after_its_window()
    {
        var time = new ManualTimeProvider();
        var paths = new PathOutcomes(time, TimeSpan.FromMinutes(1));
        for (int i = 0; i < 5; i++)
            paths.Add(false);
        time.Advance(TimeSpan.FromSeconds(60));
        Assert.That(paths.Trend, Is.EqualTo(new PathTrend(5, 5, true)));
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That(paths.Trend, Is.EqualTo(default(PathTrend)));
    }
}
