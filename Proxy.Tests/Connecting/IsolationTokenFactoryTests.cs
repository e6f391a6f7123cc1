using System.Net;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Connecting;

public class IsolationTokenFactoryTests
{
    private readonly IsolationTokenFactory _factory = new();

    private static ConnectionOwner Owner(
        string client = "127.0.0.1", string? user = null, string password = "", string listener = "main", string? session = null,
        long epoch = 0) =>
        new(listener, IPAddress.Parse(client), user is null ? null : new ClientCredentials(user, password),
            session is null ? UserParameters.None : UserParameters.None with { Session = session })
        { SessionEpoch = epoch };

    private string? Token(IsolationMode mode, ConnectionOwner owner, string host = "example.com")
    {
        HostEndPoint.TryCreate(host, 80, out var target);
        return _factory.Create(mode, owner, target).Password;
    }

    [Test]
    public void Client_keeps_apart_what_tor_keeps_apart()
    {
        string?[] tokens =
        [
            Token(IsolationMode.Client, Owner()),
            Token(IsolationMode.Client, Owner("127.0.0.2")),
            Token(IsolationMode.Client, Owner(listener: "other")),
            Token(IsolationMode.Client, Owner(user: "")),
            Token(IsolationMode.Client, Owner(user: "a")),
            Token(IsolationMode.Client, Owner(user: "a", password: "b")),
            Token(IsolationMode.Client, Owner(user: "ab")),
            Token(IsolationMode.Client, Owner(user: "", password: "ab")),
        ];
        Assert.That(tokens, Is.Unique.And.All.Match("^[0-9a-f]{32}$"));
        Assert.That(
            Token(IsolationMode.Client, Owner(user: "a", password: "b"), "other.example"), Is.EqualTo(tokens[5]),
            "one client, whatever the target");
    }

    [Test]
    public void Client_keeps_its_token_however_many_others_come_between()
    {
        // More than are remembered, so that places are taken over; twice, so that some are found and some are made anew.
        var owners = Enumerable.Range(0, 3000)
            .Select(static i => Owner($"127.1.{i / 250}.{i % 250}", i % 3 == 0 ? $"u{i}" : null))
            .ToList();
        var first = owners.Select(owner => Token(IsolationMode.Client, owner)).ToList();
        var again = owners.Select(owner => Token(IsolationMode.Client, owner)).ToList();
        Assert.That(first, Is.Unique);
        Assert.That(again, Is.EqualTo(first));
    }

    [Test]
    public void User_joins_addresses_and_keeps_users_apart()
    {
        Assert.That(Token(IsolationMode.User, Owner("127.0.0.1", "a")), Is.EqualTo(Token(IsolationMode.User, Owner("127.0.0.2", "a"))));
        Assert.That(Token(IsolationMode.User, Owner(user: "a")), Is.Not.EqualTo(Token(IsolationMode.User, Owner(user: "b"))));
    }

    [Test]
    public void Destination_keeps_hosts_apart_whatever_their_spelling()
    {
        Assert.That(
            Token(IsolationMode.Destination, Owner(), "example.com"),
            Is.EqualTo(Token(IsolationMode.Destination, Owner(), "EXAMPLE.com.")));
        Assert.That(
            Token(IsolationMode.Destination, Owner(), "a.example"), Is.Not.EqualTo(Token(IsolationMode.Destination, Owner(), "b.example")));
    }

    [Test]
    public void Connection_never_repeats_and_none_sends_nothing()
    {
        Assert.That(Enumerable.Range(0, 100).Select(_ => Token(IsolationMode.Connection, Owner())), Is.Unique);
        Assert.That(Token(IsolationMode.None, Owner(user: "a")), Is.Null);
    }

    [TestCase(IsolationMode.Client)]
    [TestCase(IsolationMode.Destination)]
    [TestCase(IsolationMode.Connection)]
    [TestCase(IsolationMode.User)]
    [TestCase(IsolationMode.None)]
    public void A_session_keeps_its_circuit_in_every_mode_until_its_epoch_ends(IsolationMode mode)
    {
        string? token = Token(mode, Owner(user: "session-a", session: "a"));
        Assert.That(token, Is.Not.Null);
        Assert.That(Token(mode, Owner(user: "session-a", session: "a"), "other.example"), Is.EqualTo(token));
        Assert.That(Token(mode, Owner(user: "session-b", session: "b")), Is.Not.EqualTo(token));
        Assert.That(Token(mode, Owner(user: "session-a", session: "a", epoch: 1)), Is.Not.EqualTo(token));
    }

    [Test]
    public void Tokens_of_two_processes_differ()
    {
        HostEndPoint.TryCreate("example.com", 80, out var target);
        Assert.That(
            new IsolationTokenFactory().Create(IsolationMode.Client, Owner(), target),
            Is.Not.EqualTo(_factory.Create(IsolationMode.Client, Owner(), target)));
    }

    [Test]
    public void The_longest_fields_fit()
    {
        string longest = new('\u00ff', 255);
        Assert.That(
            Token(
                IsolationMode.Destination, Owner("2001:db8::1", longest, longest, new string('l', 64)),
                string.Join('.', Enumerable.Repeat(new string('h', 62), 4))),
            Is.Not.Null);
        Assert.That(
            Token(IsolationMode.Client, Owner(user: new string('\u00ff', 40_000), password: longest)), Is.Not.Null,
            "HTTP credentials may be longer");
    }

    [TestCase("joe", "secret_session-a", "joe", "secret_session-a_country-br", true)]
    [TestCase("joe", "secret_session-a", "joe", "secret_mode-random_session-a", true)]
    [TestCase("user-joe-session-a", "secret", "user-joe-session-a-country-br", "secret", true)]
    [TestCase("joe", "secret_session-a", "joe", "other_session-a", false)]
    [TestCase("joe", "secret_session-a", "jim", "secret_session-a", false)]
    [TestCase("joe", "secret_session-a", "joe", "secret_session-b", false)]
    public void A_session_is_the_same_whatever_else_is_asked_for(
        string user, string password, string otherUser, string otherPassword, bool same)
    {
        var planner = new ConnectPlanner(new BalancingOptions(), _factory, new SessionTable(new ManualTimeProvider()), new RouteOptions());
        var parser = new UserParametersParser(SelectionPolicyNames.All);
        HostEndPoint.TryCreate("example.com", 80, out var target);
        var plans = ((string, string)[])[(user, password), (otherUser, otherPassword)];
        var made = plans.Select(one =>
        {
            var credentials = new ClientCredentials(one.Item1, one.Item2);
            Assert.That(parser.Parse(credentials, null, out var parameters).IsError, Is.False);
            var request = new ProxyRequest(ClientProtocol.Socks5, ProxyCommand.Connect, target, credentials);
            var owner = new ConnectionOwner("main", IPAddress.Loopback, credentials, parameters);
            return planner.Plan(request, owner, null, IsolationMode.Client, ClearnetRoute.Socks);
        }).ToArray();

        Assert.That(made[0].Token == made[1].Token, Is.EqualTo(same));
        Assert.That(ReferenceEquals(made[0].Session!.Value.Session, made[1].Session!.Value.Session), Is.EqualTo(same));
    }

    [Test]
    public void A_session_rotates_after_its_uses_and_after_its_life_time()
    {
        var clock = new ManualTimeProvider();
        var table = new SessionTable(clock);
        var uses = UserParameters.None with { Session = "s", RotateAfterUses = 2 };
        long[] epochs = [.. Enumerable.Range(0, 5).Select(_ => table.Use("u", uses).Epoch)];
        Assert.That(epochs.Select(epoch => epoch - epochs[0]), Is.EqualTo(new long[] { 0, 0, 1, 1, 2 }));

        var life = UserParameters.None with { Session = "t", SessionLifetime = TimeSpan.FromMinutes(10) };
        long first = table.Use("l", life).Epoch;
        clock.Advance(table.List().Single(static one => one.Name == "t").ExpiresIn!.Value - TimeSpan.FromMilliseconds(1));
        Assert.That(table.Use("l", life).Epoch, Is.EqualTo(first));
        clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That(table.Use("l", life).Epoch, Is.GreaterThan(first));
        Assert.That(table.Use("x", UserParameters.None with { Session = "plain" }).Epoch, Is.Zero);
    }

    [Test]
    public void A_session_that_is_rotated_gets_a_new_epoch_at_once_and_others_do_not()
    {
        var table = new SessionTable(new ManualTimeProvider(), capacity: 4);
        var plain = UserParameters.None with { Session = "a" };
        var other = UserParameters.None with { Session = "b" };
        var limited = UserParameters.None with { Session = "a", RotateAfterUses = 100 };
        long before = table.Use("limited", limited).Epoch;
        Assert.That((table.Use("a", plain).Epoch, table.Use("b", other).Epoch), Is.EqualTo((0L, 0L)));
        table.Rotate("a");
        long after = table.Use("a", plain).Epoch;
        Assert.That(after, Is.GreaterThan(0));
        Assert.That(table.Use("a", plain).Epoch, Is.EqualTo(after));
        Assert.That(table.Use("b", other).Epoch, Is.Zero);
        Assert.That(table.Use("limited", limited).Epoch, Is.GreaterThan(before));
        table.Rotate("a");
        Assert.That(table.Use("a", plain).Epoch, Is.GreaterThan(after), "twice in one moment");

        for (int i = 0; i < 20; i++)
        {
            table.Use($"s{i}", UserParameters.None with { Session = $"s{i}" });
            table.Rotate($"s{i}");
            Assert.That(table.Use("a", plain).Epoch, Is.GreaterThan(after), "a rotation is never taken back");
        }
    }

    [Test]
    public void The_session_table_is_bounded_and_never_repeats_an_epoch()
    {
        var clock = new ManualTimeProvider();
        var table = new SessionTable(clock, capacity: 32);
        var limits = UserParameters.None with { Session = "s", RotateAfterUses = 1000 };
        var epochs = new List<long>();
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < 100; i++)
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                epochs.Add(table.Use($"key-{i}", limits).Epoch);
                Assert.That(table.Count, Is.LessThanOrEqualTo(32));
            }
        }

        Assert.That(epochs, Is.Unique);
    }
}
