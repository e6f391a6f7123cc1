using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Routing;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Routing;

public class VirtualNamesTests
{
    private readonly ManualTimeProvider _time = new();

    [Test]
    public void Give_has_one_address_of_each_family_that_leads_back()
    {
        var names = Make();

        var v4 = names.Give("a.onion", AddressFamily.InterNetwork)!;
        var v6 = names.Give("a.onion", AddressFamily.InterNetworkV6)!;

        Assert.That(IPNetwork.Parse("10.192.0.0/10").Contains(v4) && IPNetwork.Parse("fc00::/8").Contains(v6), Is.True, $"{v4} {v6}");
        Assert.That(names.Give("a.onion", AddressFamily.InterNetwork), Is.EqualTo(v4));
        Assert.That((names.Find(v4), names.Find(v6), names.Count), Is.EqualTo(("a.onion", "a.onion", 1)));
        Assert.That(names.Give("b.onion", AddressFamily.InterNetwork), Is.Not.EqualTo(v4));
        Assert.That((names.Has(v4), names.Has(v6), names.Has(IPAddress.Parse("10.1.2.3"))), Is.EqualTo((true, true, false)));
    }

    [Test]
    public void Find_forgets_what_was_not_used_for_the_lifetime()
    {
        var names = Make();
        var used = names.Give("used.onion", AddressFamily.InterNetwork)!;
        var left = names.Give("left.onion", AddressFamily.InterNetwork)!;
        _time.Advance(VirtualNames.Lifetime / 2);
        names.Find(used);
        _time.Advance(VirtualNames.Lifetime / 2);

        Assert.That((names.Find(used), names.Find(left)), Is.EqualTo(("used.onion", (string?)null)));
        Assert.That(names.Has(left), Is.True, "and it is still nobody's address");
    }

    [Test]
    public void Give_takes_the_place_of_the_one_used_least_recently()
    {
        var names = Make(most: 2);
        var a = names.Give("a.onion", AddressFamily.InterNetwork)!;
        var b = names.Give("b.onion", AddressFamily.InterNetwork)!;
        names.Find(a);

        names.Give("c.onion", AddressFamily.InterNetwork);

        Assert.That((names.Find(a), names.Find(b), names.Count), Is.EqualTo(("a.onion", (string?)null, 2)));
    }

    [Test]
    public void Give_draws_within_a_narrow_range_until_nothing_is_free()
    {
        var names = Make("192.168.5.0/24", most: 1000);
        var given = Enumerable.Range(0, 300).Select(i => names.Give($"n{i}.onion", AddressFamily.InterNetwork))
            .OfType<IPAddress>()
            .ToList();

        Assert.That(given, Is.Unique.And.All.Matches<IPAddress?>(static one => IPNetwork.Parse("192.168.5.0/24").Contains(one!)));
        Assert.That(given, Has.Count.InRange(100, 254));
        Assert.That(names.Give("x.onion", AddressFamily.InterNetworkV6), Is.Null, "no range of that family");
    }

    [Test]
    public void Adopt_goes_on_with_what_another_process_has_given_in_its_order()
    {
        var old = Make();
        var over = old.Give("over.onion", AddressFamily.InterNetwork)!;
        _time.Advance(VirtualNames.Lifetime / 2);
        var a = old.Give("a.onion", AddressFamily.InterNetwork)!;
        var a6 = old.Give("a.onion", AddressFamily.InterNetworkV6)!;
        var b = old.Give("b.onion", AddressFamily.InterNetwork)!;
        old.Give("c.onion", AddressFamily.InterNetwork);
        old.Find(a);
        _time.Advance(VirtualNames.Lifetime / 2);
        var state = old.Export();
        var (next, small, elsewhere) = (Make(), Make(most: 1), Make("192.168.5.0/24"));
        foreach (var names in (VirtualNames[])[next, small, elsewhere])
            names.Adopt(state);

        Assert.That(state.Select(static one => one.Name), Is.EqualTo(new[] { "a.onion", "c.onion", "b.onion" }), "the last used first");
        Assert.That((next.Count, next.Find(a), next.Find(a6)), Is.EqualTo((3, "a.onion", "a.onion")));
        Assert.That(next.Give("a.onion", AddressFamily.InterNetwork), Is.EqualTo(a));
        Assert.That(next.Find(over), Is.Null, "its hour was over");
        Assert.That((small.Count, small.Find(a)), Is.EqualTo((1, "a.onion")));
        Assert.That(elsewhere.Count, Is.Zero, "no address of what is configured now");
        _time.Advance(VirtualNames.Lifetime / 2);
        Assert.That((next.Find(b), next.Find(a)), Is.EqualTo(((string?)null, "a.onion")), "an hour in all, not one of each process");
    }

    [Test]
    public void Adopt_goes_on_with_what_was_used_or_given_since_an_earlier_one()
    {
        var (old, next) = (Make(), Make(most: 4));
        var a = old.Give("a.onion", AddressFamily.InterNetwork)!;
        var b = old.Give("b.onion", AddressFamily.InterNetwork)!;
        old.Give("c.onion", AddressFamily.InterNetwork);
        _time.Advance(TimeSpan.FromSeconds(1));
        long since = _time.GetTimestamp();
        next.Adopt(old.Export());
        _time.Advance(TimeSpan.FromSeconds(1));

        old.Find(a);
        var b6 = old.Give("b.onion", AddressFamily.InterNetworkV6)!;
        var d = old.Give("d.onion", AddressFamily.InterNetwork)!;
        var changes = old.Export(since);
        next.Adopt(changes);

        Assert.That(changes.Select(static one => one.Name), Is.EqualTo(new[] { "d.onion", "b.onion", "a.onion" }));
        Assert.That(next.Export(), Is.EqualTo(old.Export()));
        Assert.That((next.Find(a), next.Find(b), next.Find(b6), next.Find(d)), Is.EqualTo(("a.onion", "b.onion", "b.onion", "d.onion")));
    }

    [Test]
    public void Adopted_address_is_of_the_name_that_has_it_now()
    {
        var next = Make();
        next.Adopt([new VirtualNameState("a.onion") { IPv4 = "10.192.0.1" }, new VirtualNameState("b.onion") { IPv4 = "10.192.0.2" }]);
        next.Adopt([new VirtualNameState("b.onion") { IPv4 = "10.192.0.1" }]);

        Assert.That((next.Count, next.Find(IPAddress.Parse("10.192.0.1"))), Is.EqualTo((1, "b.onion")));
        Assert.That(next.Find(IPAddress.Parse("10.192.0.2")), Is.Null);
    }

    [Test]
    public void Nothing_is_virtual_without_a_name_server() =>
        Assert.That(new VirtualNames(new DnsOptions(), _time).Has(IPAddress.Parse("10.192.0.1")), Is.False);

    private VirtualNames Make(string? range = null, int most = VirtualNames.Most)
    {
        var options = new DnsOptions { Address = new IPEndPoint(IPAddress.Loopback, 5353) };
        if (range is not null)
            options.VirtualAddresses = [IPNetwork.Parse(range)];
        return new VirtualNames(options, _time, most);
    }
}
