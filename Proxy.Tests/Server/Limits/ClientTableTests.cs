using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Server.Limits;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Limits;

public class ClientTableTests
{
    private static readonly IPAddress One = IPAddress.Parse("192.0.2.1"), Other = IPAddress.Parse("192.0.2.2");

    private readonly ManualTimeProvider _clock = new();

    [Test]
    public void A_client_has_so_many_connections_and_one_more_when_one_ends()
    {
        var table = new ClientTable(_clock);
        var limits = Limits(connections: 2);
        var first = Enter(table, One, limits);
        Assert.That(Enter(table, One, limits), Is.Not.Null);
        var verdict = table.Enter(One, limits, out var refused);
        Assert.Multiple(() =>
        {
            Assert.That(verdict.Refused, Is.EqualTo(LimitKind.MaxConnectionsPerClient));
            Assert.That(verdict.Error.RetryAfter, Is.EqualTo(5));
            Assert.That(Enter(table, Other, limits), Is.Not.Null, "another client's are its own");
        });
        refused!.Leave(wasRefused: true);
        Assert.That(table.Enter(One, limits, out _).Refused, Is.Not.Null, "a refusal that is over gives nothing back");
        first!.Leave(wasRefused: false);
        Assert.That(table.Enter(One, limits, out _).Refused, Is.Null);
    }

    [Test]
    public void New_connections_come_as_fast_as_the_rate_says_behind_a_burst()
    {
        var table = new ClientTable(_clock);
        var limits = Limits(rate: new ConnectionRate(10, TimeSpan.FromSeconds(1), 3));
        int let = 0;
        for (int step = 0; step < 1000; step++, _clock.Advance(TimeSpan.FromMilliseconds(10)))
        {
            for (int i = 0; i < 5; i++)
                let += table.Enter(One, limits, out _).Refused is null ? 1 : 0;
        }

        Assert.That(let, Is.EqualTo(3 + 99), "three at once, and one for each tenth of the ten seconds that were over");
        var verdict = table.Enter(One, limits, out _);
        Assert.That((verdict.Refused, verdict.Error.RetryAfter), Is.EqualTo(((LimitKind?)null, (ushort)0)));
        verdict = table.Enter(One, Limits(rate: new ConnectionRate(1, TimeSpan.FromMinutes(1), 1)), out _);
        Assert.That(verdict.Refused, Is.EqualTo(LimitKind.ConnectionRatePerClient));
        Assert.That(verdict.Wait, Is.EqualTo(TimeSpan.FromMilliseconds(300)));
    }

    [TestCase("2001:db8:1:2::1", "2001:db8:1:2:ffff::7", true)]
    [TestCase("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [TestCase("192.0.2.1", "192.0.2.2", false)]
    [TestCase("192.0.2.1", "::c000:201", false)]
    public void A_client_is_an_IPv4_address_or_a_64_of_IPv6(string one, string other, bool same) =>
        Assert.That(ClientKey.Of(IPAddress.Parse(one)) == ClientKey.Of(IPAddress.Parse(other)), Is.EqualTo(same));

    [Test]
    public void Who_has_nothing_open_is_forgotten_when_its_bucket_is_full()
    {
        var table = new ClientTable(_clock);
        Enter(table, One, Limits(connections: 5))!.Leave(wasRefused: false);
        Assert.That(table.Count, Is.Zero, "nothing is to be remembered of it");

        var limits = Limits(rate: new ConnectionRate(1, TimeSpan.FromSeconds(1), 1));
        Enter(table, One, limits)!.Leave(wasRefused: false);
        Assert.That(table.Count, Is.EqualTo(1), "its bucket has to fill");
        _clock.Advance(TimeSpan.FromSeconds(2));
        Enter(table, Other, limits)!.Leave(wasRefused: false);
        Assert.That(table.Count, Is.EqualTo(1));
    }

    [Test]
    public void A_full_table_forgets_who_has_been_idle_for_longest_and_passes_no_limit()
    {
        var table = new ClientTable(_clock, capacity: 3);
        var limits = Limits(connections: 1, rate: new ConnectionRate(1, TimeSpan.FromHours(1), 2));
        Enter(table, Address(1), limits)!.Leave(wasRefused: false);
        Enter(table, Address(2), limits)!.Leave(wasRefused: false);
        Enter(table, Address(1), limits)!.Leave(wasRefused: false);
        Enter(table, Address(3), limits)!.Leave(wasRefused: false);
        Enter(table, Address(4), limits);
        Assert.That(table.Enter(Address(1), limits, out _).Refused, Is.EqualTo(LimitKind.ConnectionRatePerClient), "it was not the oldest");
        Enter(table, Address(2), limits);

        // All three have connections: the others are one client.
        var shared = Enter(table, Address(6), limits);
        Assert.That(table.Enter(Address(7), limits, out _).Refused, Is.EqualTo(LimitKind.MaxConnectionsPerClient));
        Assert.That(table.Count, Is.EqualTo(3));
        shared!.Leave(wasRefused: false);
        Assert.That(table.Enter(Address(7), limits, out _).Refused, Is.Null);
    }

    [Test]
    public void Few_of_one_client_wait_to_hear_of_their_refusal()
    {
        var table = new ClientTable(_clock);
        var limits = Limits(connections: 1);
        Enter(table, One, limits);
        for (int i = 0; i < ClientTable.MostRefused; i++)
        {
            table.Enter(One, limits, out var told);
            Assert.That(told, Is.Not.Null);
        }

        Assert.That(table.Enter(One, limits, out var cut).Refused, Is.Not.Null);
        Assert.That(cut, Is.Null);
    }

    private static IPAddress Address(byte last) => new([192, 0, 2, last]);

    private static ClientAccount? Enter(ClientTable table, IPAddress address, ListenerLimitModel limits)
    {
        Assert.That(table.Enter(address, limits, out var account).Refused, Is.Null, address.ToString());
        return account;
    }

    private static ListenerLimitModel Limits(int connections = 0, ConnectionRate rate = default) => new(
        new ListenerLimitOptions { MaxConnectionsPerClient = connections, ConnectionRatePerClient = rate });
}
