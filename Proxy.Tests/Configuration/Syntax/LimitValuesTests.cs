using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Tests.Configuration.Syntax;

public class LimitValuesTests
{
    [TestCase("20/s", 20, 1, 20)]
    [TestCase("20/S burst 60", 20, 1, 60)]
    [TestCase("600/m", 600, 60, 10)]
    [TestCase("5/m", 5, 60, 1)]
    [TestCase("100/h burst 7", 100, 3600, 7)]
    public void A_rate_has_a_time_and_a_burst(string text, int count, int seconds, int burst)
    {
        Assert.That(Values.ConnectionRate.Parse(text, default, out var rate), Is.Null);
        Assert.That(rate, Is.EqualTo(new ConnectionRate(count, TimeSpan.FromSeconds(seconds), burst)));
        Assert.That(Values.ConnectionRate.Parse(rate.ToString(), default, out var again), Is.Null, "it reads what it writes");
        Assert.That(again, Is.EqualTo(rate));
    }

    [Test]
    public void Off_is_no_rate()
    {
        Assert.That(Values.ConnectionRate.Parse("off", default, out var rate), Is.Null);
        Assert.That((rate.IsSet, rate.ToString()), Is.EqualTo((false, "off")));
    }

    [TestCase("20", "20/s")]
    [TestCase("20/sec", "20/s")]
    [TestCase("20/minute", "20/m")]
    [TestCase("20/day", null)]
    [TestCase("0/s", null)]
    [TestCase("1000001/s", null)]
    [TestCase("20/s burst", null)]
    [TestCase("20/s burst 0", null)]
    [TestCase("-1/s", null)]
    [TestCase("20/s 60", null)]
    public void What_is_no_rate_is_refused(string text, string? meant)
    {
        var problem = Values.ConnectionRate.Parse(text, default, out _);
        Assert.That(problem, Is.Not.Null);
        Assert.That(problem!.Suggestion, Is.EqualTo(meant));
    }

    [TestCase("*")]
    [TestCase("*:0")]
    [TestCase("*:70000")]
    [TestCase("*:https")]
    [TestCase("example.com:")]
    [TestCase(":25")]
    [TestCase("10.0.0.1/8")]
    [TestCase("10.0.0.0/33")]
    [TestCase("[10.0.0.0/8]:22")]
    [TestCase("[2001:db8::/32]22")]
    [TestCase("0x7f.1")]
    [TestCase("exa mple")]
    [TestCase("*example.com")]
    [TestCase("a.*.example")]
    [TestCase("http://example.com")]
    public void What_is_no_target_is_refused(string text) =>
        Assert.That(Values.Targets.Parse(text, default, out _), Is.Not.Null);
}
