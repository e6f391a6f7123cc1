using System.Net;
using TorBalancer.Connecting;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Connecting;

public class LinkNameCacheTests
{
    private static readonly IPAddress Address = IPAddress.Parse("198.51.100.7");
    private readonly ManualTimeProvider _time = new();

    [TestCase(30, 600, 30)]
    [TestCase(3600, 600, 600)]
    public void Find_answer_until_its_time_or_the_bound_is_over(int timeToLive, int bound, int expected)
    {
        var cache = new LinkNameCache(_time, TimeSpan.FromSeconds(bound));
        cache.Keep(Key("a"), Address, TimeSpan.FromSeconds(timeToLive));
        _time.Advance(TimeSpan.FromSeconds(expected) - TimeSpan.FromTicks(1));
        Assert.That(cache.Find(Key("a")), Is.EqualTo(Address));

        _time.Advance(TimeSpan.FromTicks(1));
        Assert.That(cache.Find(Key("a")), Is.Null);
        Assert.That(cache.Count, Is.Zero);
    }

    [Test]
    public void Find_other_worker_or_other_owner_has_nothing()
    {
        var cache = new LinkNameCache(_time, TimeSpan.FromMinutes(1));
        cache.Keep(Key("a"), Address, TimeSpan.FromMinutes(1));

        Assert.That(cache.Find(Key("a") with { Worker = "w2" }), Is.Null);
        Assert.That(cache.Find(Key("a") with { Token = "t2" }), Is.Null);
    }

    [Test]
    public void Keep_full_table_drops_what_is_over_and_then_the_oldest()
    {
        var cache = new LinkNameCache(_time, TimeSpan.FromHours(1), capacity: 32);
        for (int i = 0; i < 40; i++)
        {
            cache.Keep(Key($"n{i}"), Address, TimeSpan.FromMinutes(10));
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.That(cache.Count, Is.LessThanOrEqualTo(32));
        }

        Assert.That(cache.Find(Key("n39")), Is.EqualTo(Address));
        Assert.That(cache.Find(Key("n0")), Is.Null);
        _time.Advance(TimeSpan.FromMinutes(11));
        for (int i = 0; i < 40; i++)
            cache.Keep(Key($"m{i}"), Address, TimeSpan.FromMinutes(10));
        Assert.That(cache.Find(Key("n39")), Is.Null);
    }

    private static LinkNameKey Key(string name) => new("w1", "t1", name);
}
