using System.Net;
using TorBalancer.Authentication;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Authentication;

public class FailedLoginsTests
{
    private readonly ManualTimeProvider _time = new();

    [Test]
    public void Bucket_holds_a_minute_s_worth_and_fills_in_a_minute()
    {
        var failures = new FailedLogins(_time);
        var place = Place("192.0.2.1", perMinute: 6);
        Assert.That(CountUntilOver(failures, place), Is.EqualTo(6));

        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.That(failures.IsClientOver(place), Is.True);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.That(CountUntilOver(failures, place), Is.EqualTo(1));
        for (int i = 0; i < 1000; i++)
            failures.Take(place, "ann");
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.That(CountUntilOver(failures, place), Is.EqualTo(1), "going on costs no more than it holds");
        _time.Advance(TimeSpan.FromHours(1));
        Assert.That(CountUntilOver(failures, place), Is.EqualTo(6), "no more than a minute's worth");
    }

    [Test]
    public void LeftOf_counts_whole_ones_and_agrees_with_what_is_over()
    {
        var failures = new FailedLogins(_time);
        var place = Place("192.0.2.1", perMinute: 3);
        Assert.That(failures.LeftOf(place), Is.EqualTo(3), "nobody has been wrong yet");
        failures.Take(place, "ann");
        Assert.That(failures.LeftOf(place), Is.EqualTo(2));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.That(failures.LeftOf(place), Is.EqualTo(2), "half of one is none");
        failures.Take(place, "bob");
        failures.Take(place, "ann");
        Assert.That((failures.LeftOf(place), failures.IsClientOver(place)), Is.EqualTo((0, true)));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.That((failures.LeftOf(place), failures.IsClientOver(place)), Is.EqualTo((1, false)));
        Assert.That(failures.LeftOf(place with { PerMinute = 0 }), Is.EqualTo(int.MaxValue));
    }

    [TestCase("192.0.2.1", "192.0.2.2", false)]
    [TestCase("2001:db8::1", "2001:db8::ffff:1", true)]
    [TestCase("2001:db8::1", "2001:db8:0:1::1", false)]
    public void Client_is_an_IPv4_address_or_a_64_of_IPv6(string first, string second, bool same)
    {
        var failures = new FailedLogins(_time);
        CountUntilOver(failures, Place(first, perMinute: 3));
        Assert.That(failures.IsClientOver(Place(second, perMinute: 3)), Is.EqualTo(same));
    }

    [Test]
    public void Users_of_one_client_are_counted_apart_and_together_and_so_are_listeners()
    {
        var failures = new FailedLogins(_time);
        var place = Place("192.0.2.1", perMinute: 4);
        CountUntilOver(failures, place);

        Assert.That(failures.IsUserOver(place, "ann"), Is.True);
        Assert.That(failures.IsUserOver(place, "bob"), Is.False);
        Assert.That(failures.IsClientOver(place), Is.True);
        Assert.That(failures.IsClientOver(place with { Listener = "other" }), Is.False);
    }

    [Test]
    public void No_bound_and_a_client_of_a_unix_socket()
    {
        var failures = new FailedLogins(_time);
        var unbounded = Place("192.0.2.1", perMinute: 0);
        for (int i = 0; i < 1000; i++)
            failures.Take(unbounded, "ann");
        Assert.That(failures.IsClientOver(unbounded), Is.False);

        var local = new LoginPlace("main", null, 3);
        Assert.That(CountUntilOver(failures, local), Is.EqualTo(3));
    }

    /// <summary>More addresses than are kept: it goes on counting those that come.</summary>
    [Test]
    public void Many_addresses_are_counted_each()
    {
        var failures = new FailedLogins(_time);
        for (int i = 0; i < 100_000; i++)
            failures.Take(new LoginPlace("main", new IPAddress(i + 1L), 2), "ann");
        var one = Place("192.0.2.1", perMinute: 2);
        Assert.That(CountUntilOver(failures, one), Is.EqualTo(2));
    }

    private static LoginPlace Place(string address, int perMinute) => new("main", IPAddress.Parse(address), perMinute);

    private static int CountUntilOver(FailedLogins failures, LoginPlace place)
    {
        int count = 0;
        for (; count < 100 && !failures.IsClientOver(place); count++)
            failures.Take(place, "ann");
        return count;
    }
}
