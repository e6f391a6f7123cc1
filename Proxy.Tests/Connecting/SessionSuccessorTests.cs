using System.Net;
using TorBalancer.Connecting;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>When a session's next circuit is asked for.</summary>
public sealed class SessionSuccessorTests
{
    private readonly ManualTimeProvider _clock = new();
    private readonly WorkerState _worker = new(new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1)));
    private readonly Circuits _circuits = new();
    private SessionTable _sessions = null!;

    [SetUp]
    public void Create()
    {
        _sessions = new SessionTable(_clock);
        _worker.Warm = _circuits;
        _circuits.Kept.Clear();
    }

    [Test]
    public void Session_that_is_used_until_its_end_has_one_kept_for_it_and_only_then()
    {
        var life = UserParameters.None with { Session = "t", SessionLifetime = TimeSpan.FromMinutes(10) };
        long first = Use(life);
        while (Use(life) == first)
        {
            int kept = _circuits.Kept.Count(static one => !one.IsLetGo);
            if (_circuits.Kept.Count > 0)
                Assert.That((kept, _circuits.Kept[0].Within), Is.EqualTo((1, _circuits.Kept[0].Within)));
            _clock.Advance(TimeSpan.FromSeconds(5));
        }

        Assert.That(_circuits.Kept, Has.Count.EqualTo(1));
        Assert.That(_circuits.Kept[0].Within, Is.LessThanOrEqualTo(TimeSpan.FromSeconds(40)));
        Assert.That(_circuits.Kept[0].IsLetGo, Is.True, "the session has moved on to it");
    }

    [Test]
    public void Session_that_is_idle_at_its_end_costs_nothing()
    {
        var life = UserParameters.None with { Session = "t", SessionLifetime = TimeSpan.FromMinutes(10) };
        for (int i = 0; i < 5; i++)
        {
            long epoch = Use(life);
            for (int use = 0; use < 3; use++)
            {
                if (_sessions.List()[0].ExpiresIn > TimeSpan.FromMinutes(2))
                    Assert.That(Use(life), Is.EqualTo(epoch));
            }

            _clock.Advance(TimeSpan.FromHours(1) + (_sessions.List()[0].ExpiresIn ?? TimeSpan.Zero) + TimeSpan.FromSeconds(1));
        }

        Assert.That(_circuits.Kept, Has.Count.LessThanOrEqualTo(1));
    }

    [Test]
    public void Session_with_a_count_has_one_kept_before_its_last_use()
    {
        var uses = UserParameters.None with { Session = "s", RotateAfterUses = 4 };
        int[] kept = [.. Enumerable.Range(0, 8).Select(_ =>
        {
            Use(uses);
            return _circuits.Kept.Count;
        })];

        Assert.That(kept, Is.EqualTo(new[] { 0, 0, 1, 1, 1, 1, 2, 2 }));
        Assert.That(_circuits.Kept[0].IsLetGo, Is.True);
        Assert.That(_circuits.Kept[1].IsLetGo, Is.False);
    }

    [Test]
    public void Session_with_one_use_has_the_next_one_kept_each_time()
    {
        var uses = UserParameters.None with { Session = "s", RotateAfterUses = 1 };
        for (int i = 1; i <= 5; i++)
        {
            Use(uses);
            Assert.That(_circuits.Kept, Has.Count.EqualTo(i));
            Assert.That(_circuits.Kept.Count(static one => !one.IsLetGo), Is.EqualTo(1));
        }
    }

    [Test]
    public void Session_without_limits_has_none()
    {
        for (int i = 0; i < 5; i++)
            Use(UserParameters.None with { Session = "plain" });
        Assert.That(_circuits.Kept, Is.Empty);
    }

    private long Use(UserParameters parameters)
    {
        var use = _sessions.Use("key", parameters);
        SessionSuccessor.Prepare(use, _worker, _clock);
        return use.Epoch;
    }

    private sealed class Circuits : IWarmCircuits
    {
        public List<KeptCircuit> Kept { get; } = [];

        public int? Clean => 0;

        public void Claim()
        {
        }

        public void Missed()
        {
        }

        public IDisposable ExpectSuccessor(TimeSpan within)
        {
            Kept.Add(new KeptCircuit(within));
            return Kept[^1];
        }
    }

    private sealed class KeptCircuit(TimeSpan within) : IDisposable
    {
        public TimeSpan Within => within;

        public bool IsLetGo { get; private set; }

        public void Dispose() => IsLetGo = true;
    }
}
