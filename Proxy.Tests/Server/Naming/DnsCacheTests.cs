using System.Net;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Dns;
using TorBalancer.Server.Naming;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Naming;

/// <summary>How long answers hold, how many are kept, and who shares them.</summary>
[CancelAfter(30_000)]
public sealed class DnsCacheTests
{
    private static readonly DnsFound Found = new(DnsCode.NoError, HostEndPoint.FromAddress(IPAddress.Parse("198.51.100.7"), 0));

    private readonly ManualTimeProvider _time = new();

    [TestCase(0, 60, 60)]
    [TestCase(0, 3600, 3600)]
    [TestCase(3, 60, 10)]
    [TestCase(3, 5, 5)]
    public async Task Answer_holds_for_its_time_and_says_how_much_is_left(int code, int life, int seconds)
    {
        var cache = new DnsCache(_time, TimeSpan.FromSeconds(life));
        var found = code == 0 ? Found : new DnsFound((DnsCode)code);
        await AskAsync(cache, "a", found);

        _time.Advance(TimeSpan.FromSeconds(seconds - 1));
        Assert.That(cache.Find(Key("a")), Is.EqualTo((found, TimeSpan.FromSeconds(1))));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.That(cache.Find(Key("a")), Is.Null);
        Assert.That(cache.Count, Is.Zero);
    }

    [TestCase(2, 60)]
    [TestCase(5, 60)]
    [TestCase(0, 0)]
    public async Task Failure_is_not_kept_and_nothing_is_where_nothing_is_to_be(int code, int life)
    {
        var cache = new DnsCache(_time, TimeSpan.FromSeconds(life));
        await AskAsync(cache, "a", new DnsFound((DnsCode)code));

        Assert.That(cache.Find(Key("a")), Is.Null);
        Assert.That(cache.Count, Is.Zero);
    }

    [Test]
    public async Task Answer_that_was_used_least_recently_makes_room()
    {
        var cache = new DnsCache(_time, TimeSpan.FromMinutes(1), capacity: 3);
        foreach (string name in (string[])["a", "b", "c"])
            await AskAsync(cache, name, Found);
        cache.Find(Key("a"));
        await AskAsync(cache, "d", Found);

        Assert.That(cache.Count, Is.EqualTo(3));
        Assert.That(
            ((string[])["a", "b", "c", "d"]).Where(name => cache.Find(Key(name)) is not null), Is.EqualTo(new[] { "a", "c", "d" }));
        for (int i = 0; i < 1000; i++)
            await AskAsync(cache, $"n{i}", Found);
        Assert.That(cache.Count, Is.EqualTo(3));
    }

    [Test]
    public async Task Question_that_is_on_its_way_is_asked_once_and_again_when_it_has_failed()
    {
        var cache = new DnsCache(_time, TimeSpan.FromMinutes(1));
        var answer = new TaskCompletionSource<DnsFound>();
        int asked = 0, shared = 0;
        var first = Ask();
        var second = Ask();
        Assert.That((first.IsCompleted, second.IsCompleted), Is.EqualTo((false, false)));
        Assert.That(cache.Find(Key("a")), Is.Null);
        answer.SetResult(new DnsFound(DnsCode.ServerFailure));

        Assert.That(((await first).Found.Code, (await second).Found.Code), Is.EqualTo((DnsCode.ServerFailure, DnsCode.ServerFailure)));
        Assert.That((asked, shared), Is.EqualTo((1, 1)));
        await Ask();
        Assert.That((asked, shared), Is.EqualTo((2, 1)));

        Task<(DnsFound Found, TimeSpan Left)> Ask() => cache.AskAsync(
            Key("a"), () =>
            {
                asked++;
                return answer.Task;
            }, isShared => shared += isShared ? 1 : 0);
    }

    [Test]
    public async Task Another_token_has_answers_of_its_own()
    {
        var cache = new DnsCache(_time, TimeSpan.FromMinutes(1));
        await AskAsync(cache, "a", Found);

        Assert.That(cache.Find(new DnsCacheKey("somebody else", "a")), Is.Null);
    }

    private static DnsCacheKey Key(string name) => new("somebody", name);

    private static Task AskAsync(DnsCache cache, string name, DnsFound found) =>
        cache.AskAsync(Key(name), () => Task.FromResult(found), static _ => { });
}
