using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Warm;
using static TorBalancer.Tests.TorControl.Relays.RelayEvents;

namespace TorBalancer.Tests.TorControl.Warm;

public sealed class CircuitLedgerTests
{
    private readonly ManualTimeProvider _clock = new();
    private WarmAccount _account = null!;
    private CircuitLedger _ledger = null!;

    [SetUp]
    public void Create() => _ledger = new CircuitLedger(_clock, _account = new WarmAccount(_clock));

    [Test]
    public void Circuit_of_ours_is_building_then_clean_then_used_once()
    {
        _ledger.Ask("7");
        Assert.That(Observe("CIRC 7 LAUNCHED BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL"), Is.EqualTo(LedgerChange.None));
        Assert.That((_ledger.Building, _ledger.Clean, _account.Launched), Is.EqualTo((1, 0, 1L)));
        _clock.Advance(TimeSpan.FromMilliseconds(300));
        Assert.That(Observe(Built("7", "g,m,e")), Is.EqualTo(LedgerChange.Built));
        Assert.That((_ledger.Building, _ledger.Clean), Is.EqualTo((0, 1)));
        Assert.That(_ledger.BuildTimes.Median, Is.EqualTo(TimeSpan.FromMilliseconds(300)));

        Assert.That(Observe(Sent("1", "7", "a.test:80")), Is.EqualTo(LedgerChange.Consumed));
        Assert.That(Observe(Sent("2", "7", "b.test:80")), Is.EqualTo(LedgerChange.None), "no fresh one was needed");
        Assert.That((_ledger.Clean, _account.Used), Is.EqualTo((0, 1L)));
        Observe(Died("7", "g,m,e"));
        Assert.That((_account.Used, _account.Unused, _account.Failed), Is.EqualTo((1L, 0L, 0L)));
    }

    [TestCase(1, "DESTROYED", LedgerChange.Lost | LedgerChange.TornDown)]
    [TestCase(1, "CHANNEL_CLOSED", LedgerChange.Lost | LedgerChange.TornDown)]
    [TestCase(1, "FINISHED", LedgerChange.Lost)]
    [TestCase(60, "DESTROYED", LedgerChange.Lost)]
    public void Circuit_that_others_tear_down_as_soon_as_it_is_built_is_told_apart(int seconds, string reason, object change)
    {
        _ledger.Ask("7");
        Observe(Built("7", "g,m,e"));
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        Assert.That(Observe($"CIRC 7 CLOSED PURPOSE=GENERAL REASON={reason}"), Is.EqualTo(change));
        Assert.That(_account.Unused, Is.EqualTo(1));
    }

    [Test]
    public void Events_that_come_before_the_reply_count_as_well()
    {
        Observe("CIRC 7 LAUNCHED BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL");
        _ledger.Ask("7");
        Assert.That(_ledger.Building, Is.EqualTo(1));

        Observe("CIRC 8 LAUNCHED PURPOSE=GENERAL");
        Observe("CIRC 8 FAILED PURPOSE=GENERAL REASON=CHANNEL_CLOSED");
        Assert.That(_ledger.Ask("8"), Is.EqualTo(LedgerChange.Failed));
        Assert.That((_ledger.Building, _account.Failed, _account.Launched), Is.EqualTo((1, 1L, 2L)));

        Observe("CIRC 9 LAUNCHED PURPOSE=GENERAL");
        Observe(Built("9", "g,m,e"));
        Assert.That(_ledger.Ask("9"), Is.EqualTo(LedgerChange.Built));
    }

    [Test]
    public void What_ended_before_its_reply_is_known_although_all_was_asked_anew()
    {
        Observe("CIRC 8 LAUNCHED PURPOSE=GENERAL");
        Observe("CIRC 8 FAILED PURPOSE=GENERAL REASON=CHANNEL_CLOSED");
        _ledger.Load([], []);
        Assert.That(_ledger.Ask("8"), Is.EqualTo(LedgerChange.Failed));
        Assert.That(_ledger.Building, Is.Zero);
    }

    [Test]
    public void Circuit_that_fails_times_out_or_ends_unused_is_told_apart()
    {
        foreach (string id in (string[])["1", "2", "3", "4"])
        {
            _ledger.Ask(id);
            Observe($"CIRC {id} LAUNCHED PURPOSE=GENERAL");
        }

        Assert.That(Observe("CIRC 1 FAILED PURPOSE=GENERAL REASON=TIMEOUT"), Is.EqualTo(LedgerChange.Failed));
        Assert.That(
            Observe("CIRC_MINOR 2 PURPOSE_CHANGED PURPOSE=MEASURE_TIMEOUT OLD_PURPOSE=GENERAL"), Is.EqualTo(LedgerChange.Failed));
        Observe(Built("3", "g,m,e"));
        Assert.That(Observe("CIRC 3 CLOSED PURPOSE=GENERAL REASON=FINISHED"), Is.EqualTo(LedgerChange.Lost));
        Observe(Built("4", "g,m,e"));
        Assert.That(
            Observe("CIRC_MINOR 4 CANNIBALIZED PURPOSE=HS_CLIENT_REND OLD_PURPOSE=GENERAL"), Is.EqualTo(LedgerChange.Lost));
        Assert.That((_account.Failed, _account.Unused, _ledger.Building, _ledger.Clean), Is.EqualTo((2L, 2L, 0, 0)));
    }

    [Test]
    public void Set_of_two_legs_is_one_clean_circuit_and_one_stream_uses_both()
    {
        Observe(Built("1", "g,m,e", purpose: "CONFLUX_UNLINKED", conflux: "C0"));
        Observe(Built("2", "h,n,e", purpose: "CONFLUX_UNLINKED", conflux: "C0"));
        Assert.That(_ledger.Clean, Is.Zero, "not linked yet");
        foreach (string id in (string[])["1", "2"])
            Observe($"CIRC_MINOR {id} PURPOSE_CHANGED {Path("g,m,e")} PURPOSE=CONFLUX_LINKED OLD_PURPOSE=CONFLUX_UNLINKED CONFLUX_ID=C0");
        Assert.That(_ledger.Clean, Is.EqualTo(1));
        Assert.That(Observe(Sent("1", "2", "a.test:80")), Is.EqualTo(LedgerChange.Consumed));
        Assert.That(_ledger.Clean, Is.Zero);
        Assert.That(Observe(Sent("2", "1", "b.test:80")), Is.EqualTo(LedgerChange.None), "the other leg is somebody's");
    }

    [TestCase("CIRC 5 BUILT {0} BUILD_FLAGS=IS_INTERNAL,NEED_CAPACITY PURPOSE=GENERAL", TestName = "Internal")]
    [TestCase("CIRC 5 BUILT {0} BUILD_FLAGS=NEED_CAPACITY PURPOSE=HS_VANGUARDS", TestName = "For onion services")]
    [TestCase("CIRC 5 BUILT {0} BUILD_FLAGS=ONEHOP_TUNNEL,IS_INTERNAL PURPOSE=GENERAL", TestName = "One hop")]
    public void Circuit_that_no_new_identity_may_take_is_not_clean(string line)
    {
        Observe(string.Format(System.Globalization.CultureInfo.InvariantCulture, line, Path("g,m,e")));
        Assert.That(_ledger.Clean, Is.Zero);
        Assert.That(Observe(Sent("1", "5", "a.test:80")), Is.EqualTo(LedgerChange.None));
    }

    [TestCase("t", LedgerChange.Consumed)]
    [TestCase("probe-0123456789abcdef0123456789", LedgerChange.None)]
    public void Circuit_that_tor_builds_for_a_stream_is_demand_once_it_has_it_and_never_clean(string password, object change)
    {
        string of = $"SOCKS_USERNAME=\"u\" SOCKS_PASSWORD=\"{password}\"";
        Observe("CIRC 5 LAUNCHED BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL");
        Observe($"CIRC 5 EXTENDED {Path("g")} BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL {of}");
        Observe($"CIRC 5 BUILT {Path("g,m,e")} BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL {of}");
        Assert.That(_ledger.Clean, Is.Zero);
        Assert.That(Observe(Sent("1", "5", "a.test:80", password)), Is.EqualTo(change));
        Assert.That(Observe(Sent("2", "5", "b.test:80", password)), Is.EqualTo(LedgerChange.None), "no fresh one was needed");

        _ledger.Load([$"6 BUILT {Path("g,m,e")} PURPOSE=GENERAL {of}", $"7 EXTENDED {Path("g")} PURPOSE=GENERAL {of}"], []);
        Assert.That(Observe(Sent("3", "6", "a.test:80", password)), Is.EqualTo(LedgerChange.None), "built before we looked");
        Assert.That(Observe(Sent("4", "7", "a.test:80", password)), Is.EqualTo(change));
        Assert.That(_ledger.Clean, Is.Zero);
    }

    [Test]
    public void Ports_that_want_stable_relays_are_no_demand()
    {
        Observe(Built("1", "g,m,e"));
        Assert.That(Observe(Sent("1", "1", "a.test:22")), Is.EqualTo(LedgerChange.None));
        Assert.That(_ledger.Clean, Is.Zero, "it is used all the same");
    }

    [Test]
    public void Load_takes_what_is_there_and_keeps_what_is_known_of_it()
    {
        _ledger.Ask("1");
        _ledger.Ask("2");
        Observe(Built("1", "g,m,e"));
        string[] circuits =
        [
            $"1 BUILT {Path("g,m,e")} PURPOSE=GENERAL", $"3 BUILT {Path("g,m,e")} PURPOSE=GENERAL",
            $"4 BUILT {Path("g,m,e")} PURPOSE=GENERAL", $"5 BUILT {Path("g,m,e")} BUILD_FLAGS=IS_INTERNAL PURPOSE=HS_VANGUARDS",
        ];
        _ledger.Load(circuits, ["9 SUCCEEDED 3 a.test:80"]);

        Assert.That((_ledger.Clean, _ledger.Building), Is.EqualTo((2, 0)), "1 and 4; a stream is on 3, and 2 is gone");
        Assert.That((_account.Launched, _account.Failed), Is.EqualTo((2L, 1L)));
        Observe(Sent("1", "1", "a.test:80"));
        Assert.That(_account.Used, Is.EqualTo(1), "still ours");
    }

    /// <summary>What a daemon that takes over from another sees first: tor names the stream's credentials at one leg.</summary>
    [Test]
    public void Set_of_which_either_leg_is_somebodys_is_not_clean([Values] bool first)
    {
        const string of = " SOCKS_USERNAME=\"u\" SOCKS_PASSWORD=\"p\"";
        _ledger.Load(
            [
                $"1 BUILT {Path("g,m,e")} PURPOSE=CONFLUX_LINKED CONFLUX_ID=C0{(first ? of : "")}",
                $"2 BUILT {Path("h,n,e")} PURPOSE=CONFLUX_LINKED CONFLUX_ID=C0{(first ? "" : of)}",
            ], []);

        Assert.That(_ledger.Clean, Is.Zero);
    }

    [Test]
    public void No_more_are_followed_than_all_that_are_counted()
    {
        _ledger.Load(
            Enumerable.Range(1, CircuitLedger.MaxCircuits + 10).Select(static id => $"{id} BUILT {Path("g,m,e")} PURPOSE=GENERAL"), []);

        Assert.That(_ledger.Clean, Is.EqualTo(CircuitLedger.MaxCircuits));
    }

    [Test]
    public void Circuits_by_the_thousand_leave_the_counts_right()
    {
        var random = new Random(5);
        var states = new Dictionary<string, int>();
        for (int i = 0; i < 5000; i++)
        {
            string id = random.Next(1, 200).ToString(System.Globalization.CultureInfo.InvariantCulture);
            switch (states.GetValueOrDefault(id))
            {
                case 0:
                    Observe($"CIRC {id} LAUNCHED PURPOSE=GENERAL");
                    states[id] = 1;
                    break;
                case 1:
                    Observe(Built(id, "g,m,e"));
                    states[id] = 2;
                    break;
                case 2 when random.Next(2) == 0:
                    Observe(Sent("s" + id, id, "a.test:80"));
                    states[id] = 3;
                    break;
                default:
                    Observe($"CIRC {id} CLOSED PURPOSE=GENERAL REASON=FINISHED");
                    states[id] = 0;
                    break;
            }

            Assert.That(_ledger.Clean, Is.EqualTo(states.Values.Count(static state => state == 2)));
        }
    }

    private LedgerChange Observe(params string[] lines) =>
        lines.Aggregate(LedgerChange.None, (change, line) => change | _ledger.Observe(Parse(line)));
}
