using System.Net;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Connecting;

/// <summary>Two processes with one key: what they agree on, and what they must not.</summary>
public sealed class SharedKeyTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, IsolationKey.Bytes).Select(static i => (byte)i)];

    private readonly ManualTimeProvider _clock = new();

    [TestCase(IsolationMode.Client)]
    [TestCase(IsolationMode.User)]
    [TestCase(IsolationMode.Destination)]
    public void Client_has_the_same_token_at_both_and_another_one_under_another_key(IsolationMode isolation)
    {
        string token = Gateway().Token("joe", isolation);
        Assert.That(Gateway().Token("joe", isolation), Is.EqualTo(token));
        Assert.That(new Process(new IsolationKey(), _clock).Token("joe", isolation), Is.Not.EqualTo(token));
    }

    [Test]
    public void Connections_of_their_own_never_meet()
    {
        var (one, other) = (Gateway(), Gateway());
        string[] tokens = [.. Enumerable.Range(0, 100).Select(i => (i % 2 == 0 ? one : other).Token("joe", IsolationMode.Connection))];
        Assert.That(tokens, Is.Unique);
    }

    [Test]
    public void Session_with_a_life_time_has_the_same_worker_and_circuit_at_both_at_any_time()
    {
        var (one, other) = (Gateway(), Gateway());
        var seen = new HashSet<string>();
        for (int minute = 0; minute < 60; minute++)
        {
            string token = one.Token("session-a-lifetime-10m", IsolationMode.Client);
            if (minute % 7 == 3)
                other = Gateway();
            Assert.That(other.Token("session-a-lifetime-10m", IsolationMode.Client), Is.EqualTo(token), "also after a restart");
            Assert.That(other.StickyKey("session-a-lifetime-10m"), Is.EqualTo(one.StickyKey("session-a-lifetime-10m")));
            seen.Add(token);
            _clock.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.That(seen, Has.Count.InRange(6, 7), "an hour has six life-times, and may begin and end within one");
    }

    [Test]
    public void A_clock_that_is_set_back_brings_no_ended_life_time_back()
    {
        var clock = new SteppedClock();
        var gateway = new Process(new IsolationKey(Key), clock);
        string first = Token();
        do
            clock.Now += TimeSpan.FromSeconds(1);
        while (Token() == first);
        string second = Token();
        clock.Now -= TimeSpan.FromSeconds(5);
        Assert.That(Token(), Is.EqualTo(second));

        string Token() => gateway.Token("session-a-lifetime-10m", IsolationMode.Client);
    }

    [Test]
    public void Sessions_change_at_different_times()
    {
        var gateway = Gateway();
        string[] before = Tokens();
        _clock.Advance(TimeSpan.FromMinutes(5));
        string[] after = Tokens();
        Assert.That(before.Zip(after).Count(static pair => pair.First != pair.Second), Is.InRange(30, 70), "about half of a hundred");

        string[] Tokens() =>
            [.. Enumerable.Range(0, 100).Select(i => gateway.Token($"session-s{i}-lifetime-10m", IsolationMode.Client))];
    }

    [Test]
    public void Counts_are_a_process_s_own_and_never_bring_an_old_circuit_back()
    {
        var seen = new HashSet<string>();
        for (int restart = 0; restart < 20; restart++)
        {
            var gateway = Gateway();
            for (int use = 0; use < 6; use++)
                seen.Add(gateway.Token("session-a-rotate-2", IsolationMode.Client));
            for (int use = 0; use < 2; use++)
                seen.Add(gateway.Token("session-b-rotate-2-lifetime-10m", IsolationMode.Client));
        }

        Assert.That(seen, Has.Count.EqualTo(20 * 4));
    }

    [Test]
    public void Rotation_by_hand_holds_until_the_life_time_is_over_and_is_not_known_elsewhere()
    {
        const string user = "session-a-lifetime-10m";
        var (one, other) = (Gateway(), Gateway());
        string before = one.Token(user, IsolationMode.Client);
        Assert.That(one.Rotate("a"), Is.EqualTo(1));
        string rotated = one.Token(user, IsolationMode.Client);
        Assert.That(rotated, Is.Not.EqualTo(before));
        Assert.That(one.Token(user, IsolationMode.Client), Is.EqualTo(rotated));
        Assert.That(other.Token(user, IsolationMode.Client), Is.EqualTo(before));
        _clock.Advance(TimeSpan.FromMinutes(10));
        string next = one.Token(user, IsolationMode.Client);
        Assert.That(next, Is.Not.EqualTo(before).And.Not.EqualTo(rotated));
        Assert.That(other.Token(user, IsolationMode.Client), Is.EqualTo(next));
    }

    [Test]
    public void Rotation_under_a_clock_that_is_ahead_is_over_after_a_life_time_all_the_same()
    {
        const string user = "session-a-lifetime-10m";
        var clock = new SteppedClock();
        var gateway = new Process(new IsolationKey(Key), clock);
        var right = clock.Now;
        clock.Now += TimeSpan.FromDays(365);
        gateway.Token(user, IsolationMode.Client);
        gateway.Rotate("a");
        string rotated = gateway.Token(user, IsolationMode.Client);
        clock.Now = right;
        Assert.That(gateway.Token(user, IsolationMode.Client), Is.EqualTo(rotated), "its life-time is not over");
        clock.Now += TimeSpan.FromMinutes(10);
        clock.Elapsed += TimeSpan.FromMinutes(10);
        string next = gateway.Token(user, IsolationMode.Client);
        Assert.That(next, Is.EqualTo(new Process(new IsolationKey(Key), clock).Token(user, IsolationMode.Client)));
        Assert.That(next, Is.Not.EqualTo(rotated));
    }

    [Test]
    public void NUL_in_a_password_makes_no_other_session_of_it()
    {
        // The password of the one is the password and the session of the other.
        var gateway = Gateway();
        Assert.That(gateway.Uses("session-a-rotate-5", "x", "t"), Is.EqualTo(1));
        Assert.That(gateway.Uses("session-t-rotate-5", "x\0a"), Is.EqualTo(1));
        Assert.That(gateway.Uses("session-t-rotate-5", "x\u0001.a"), Is.EqualTo(1));
        Assert.That(gateway.Uses("session-a-rotate-5", "x", "t"), Is.EqualTo(2));
    }

    private Process Gateway() => new(new IsolationKey([.. Key]), _clock);

    private sealed class Process
    {
        private readonly SessionTable _sessions;
        private readonly ConnectPlanner _planner;
        private readonly UserParametersParser _parser = new(SelectionPolicyNames.All);

        public Process(IsolationKey key, TimeProvider time)
        {
            _sessions = new SessionTable(time);
            _planner = new ConnectPlanner(new BalancingOptions(), new IsolationTokenFactory(key), _sessions, new RouteOptions());
        }

        public string Token(string user, IsolationMode isolation) => Plan(user, isolation).Token.Password!;

        public ulong StickyKey(string user) => Plan(user, IsolationMode.Client).Selection.Key;

        /// <summary>How often the session has been used, this time included.</summary>
        public int Uses(string user, string password, string? isolation = null) =>
            Plan(user, IsolationMode.Client, password, isolation).Session!.Value.Session.Uses;

        public int Rotate(string name) => _sessions.Rotate(name);

        private ConnectPlan Plan(string user, IsolationMode isolation, string password = "x", string? field = null)
        {
            HostEndPoint.TryCreate("example.com", 80, out var target);
            var credentials = new ClientCredentials(user, password);
            Assert.That(_parser.Parse(credentials, null, out var parameters).IsError, Is.False);
            return _planner.Plan(
                new ProxyRequest(ClientProtocol.Socks5, ProxyCommand.Connect, target, credentials),
                new ConnectionOwner("main", IPAddress.Loopback, credentials, parameters) { Isolation = field }, null, isolation,
                ClearnetRoute.Socks);
        }
    }

    /// <summary>A wall clock that may be set back.</summary>
    private sealed class SteppedClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(56);

        public TimeSpan Elapsed { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => Now;

        public override long GetTimestamp() => Elapsed.Ticks;
    }
}
