using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;
using static TorBalancer.Tests.TorControl.Relays.RelayEvents;

namespace TorBalancer.Tests.TorControl.Relays;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class CircuitTableTests
{
    private readonly ManualTimeProvider _time = new();

    [TestCase("REASON=END REMOTE_REASON=HIBERNATING", "Exit")]
    [TestCase("REASON=END REMOTE_REASON=RESOURCELIMIT", "Exit")]
    [TestCase("REASON=END REMOTE_REASON=INTERNAL", "Exit")]
    [TestCase("REASON=END REMOTE_REASON=TORPROTOCOL", "Exit")]
    [TestCase("REASON=END REMOTE_REASON=RESOLVEFAILED", "Ambiguous")]
    [TestCase("REASON=END REMOTE_REASON=CONNECTREFUSED", "Ambiguous")]
    [TestCase("REASON=END REMOTE_REASON=NOROUTE", "Ambiguous")]
    [TestCase("REASON=END REMOTE_REASON=CONNRESET", "Ambiguous")]
    [TestCase("REASON=END REMOTE_REASON=TIMEOUT", "Ambiguous")]
    [TestCase("REASON=END REMOTE_REASON=MISC", "Ambiguous")]
    [TestCase("REASON=TIMEOUT", "Ambiguous")]
    [TestCase("REASON=END REMOTE_REASON=EXITPOLICY", null)]
    [TestCase("REASON=END REMOTE_REASON=DONE", null)]
    [TestCase("REASON=DONE", null)]
    [TestCase("REASON=CANT_ATTACH", null)]
    public void Failed_stream_says_of_its_exit(string reason, string? fault)
    {
        foreach (string status in new[] { "FAILED", "DETACHED" })
        {
            var verdicts = new CircuitTable(_time)
                .Feed([Built("7", "g,m,e"), .. Sent("1", "7", "a.test:80"), $"STREAM 1 {status} 7 a.test:80 {reason}"]);
            Assert.That(verdicts.Select(static v => v.Fault.ToString()), Is.EqualTo(fault is null ? [] : new[] { fault }));
            Assert.That(
                verdicts.Select(static v => (v.Exit.Nickname, v.Destination, v.CircuitKey)), Is.All.EqualTo(((string?)"e", "a.test", "7")));
        }
    }

    [Test]
    public void Detached_then_failed_counts_once_for_each_exit()
    {
        var verdicts = new CircuitTable(_time).Feed([
            Built("7", "g,m,e"), Built("8", "g,m,f"),
            .. Sent("1", "7", "A.test.:80"), "STREAM 1 DETACHED 7 A.test.:80 REASON=TIMEOUT",
            "STREAM 1 SENTCONNECT 8 A.test.:80", "STREAM 1 DETACHED 8 A.test.:80 REASON=END REMOTE_REASON=MISC",
            "STREAM 1 FAILED 8 A.test.:80 REASON=END REMOTE_REASON=MISC"]);

        Assert.That(
            verdicts.Select(static v => (v.Exit.Nickname, v.Destination)), Is.EqualTo(new[] { ((string?)"e", "a.test"), ("f", "a.test") }));
    }

    [TestCase("PURPOSE=HS_CLIENT_REND BUILD_FLAGS=IS_INTERNAL", "a.test:80")]
    [TestCase("PURPOSE=GENERAL BUILD_FLAGS=IS_INTERNAL,NEED_CAPACITY", "a.test:80")]
    [TestCase("PURPOSE=GENERAL", "abc.onion:80")]
    public void Circuits_that_do_not_lead_out_blame_nobody(string circuit, string target)
    {
        var verdicts = new CircuitTable(_time).Feed([
            $"CIRC 7 BUILT {Path("g,m,e")} {circuit}", .. Failed("1", "7", target, "REASON=END REMOTE_REASON=INTERNAL"),
            .. Opened("2", "7", target), Died("7", "g,m,e")]);

        Assert.That(verdicts, Is.Empty);
    }

    [Test]
    public void Death_of_a_circuit_counts_for_every_stream_on_it_in_whatever_order_tor_tells()
    {
        var table = new CircuitTable(_time);
        table.Feed(
            [Built("7", "g,m,e"), .. Opened("1", "7", "a.test:80"), .. Sent("2", "7", "b.test:80"), .. Opened("3", "7", "c.test:80")]);

        var early = table.Feed("STREAM 3 CLOSED 7 c.test:80 REASON=DESTROY");
        var death = table.Feed(Died("7", "g,m,e"));
        var late = table.Feed("STREAM 1 CLOSED 7 a.test:80 REASON=DESTROY", "STREAM 2 FAILED 7 b.test:80 REASON=DESTROY");

        Assert.That(early.Concat(late), Is.Empty);
        Assert.That(death.Select(static v => v.Destination), Is.EquivalentTo(new[] { "a.test", "b.test", "c.test" }));
        Assert.That(death.Select(static v => v.Fault), Is.All.EqualTo(StreamFault.CircuitDied));
        Assert.That(table.Counts, Is.EqualTo((0, 0)));
    }

    [TestCase("CHANNEL_CLOSED")]
    [TestCase("RESOURCELIMIT")]
    public void Death_that_came_from_near_blames_no_exit(string remote)
    {
        var verdicts = new CircuitTable(_time).Feed([Built("7", "g,m,e"), .. Sent("1", "7", "a.test:80"), Died("7", "g,m,e", remote)]);
        Assert.That(verdicts, Is.Empty);
    }

    [TestCase(2.0, 0)]
    [TestCase(2.1, 1)]
    public void Death_soon_after_the_link_to_the_guard_blames_no_exit(double seconds, int expected)
    {
        var table = new CircuitTable(_time);
        table.Feed([Built("7", "g,m,e"), .. Sent("1", "7", "a.test:80"), $"ORCONN {Path("g")} CLOSED REASON=TLS_ERROR"]);
        _time.Advance(TimeSpan.FromSeconds(seconds));

        Assert.That(table.Feed(Died("7", "g,m,e")), Has.Count.EqualTo(expected));
    }

    [Test]
    public void Conflux_legs_are_one_circuit_and_either_leg_s_death_counts_once()
    {
        var table = new CircuitTable(_time);
        string set = new('A', 32);
        table.Feed([
            Built("7", "g,m,e", purpose: "CONFLUX_LINKED", conflux: set), Built("8", "h,n,e", purpose: "CONFLUX_LINKED", conflux: set),
            .. Opened("1", "7", "a.test:80")]);

        Assert.That(table.FindExit("t", 1000, null)?.ConfluxId, Is.EqualTo(set));
        var deaths = table.Feed(Died("8", "h,n,e"), Died("7", "g,m,e"), "STREAM 1 CLOSED 7 a.test:80 REASON=DESTROY");
        Assert.That(deaths.Select(static v => (v.CircuitKey, v.Exit.Nickname)), Is.EqualTo(new[] { (set, (string?)"e") }));
    }

    // In this order tor 0.4.9 told of an exit that was killed, every other time.
    [TestCase(true)]
    [TestCase(false)]
    public void Leg_that_tor_closes_itself_leaves_its_streams_to_the_leg_that_says_why(bool streamsFirst)
    {
        var table = new CircuitTable(_time);
        string set = new('A', 32);
        table.Feed([
            Built("25", "g,m,e", purpose: "CONFLUX_LINKED", conflux: set), Built("26", "h,n,e", purpose: "CONFLUX_LINKED", conflux: set),
            .. Opened("52", "25", "a.test:80"), .. Opened("53", "25", "b.test:80")]);
        string leg = $"CIRC 25 CLOSED {Path("g,m,e")} BUILD_FLAGS=NEED_CAPACITY PURPOSE=CONFLUX_LINKED REASON=FINISHED";
        string[] streams = ["STREAM 52 CLOSED 25 127.0.0.1:80 REASON=DESTROY", "STREAM 53 CLOSED 25 127.0.0.1:80 REASON=DESTROY"];

        Assert.That(table.Feed(streamsFirst ? [.. streams, leg] : [leg, .. streams]), Is.Empty);
        var deaths = table.Feed(Died("26", "h,n,e"));
        Assert.That(deaths.Select(static v => (v.CircuitKey, v.Destination, v.Fault)), Is.EquivalentTo(new[]
        {
            (set, "a.test", StreamFault.CircuitDied), (set, "b.test", StreamFault.CircuitDied),
        }));
    }

    [Test]
    public void FindCarrier_joins_by_port_and_by_token_and_target()
    {
        var table = new CircuitTable(_time);
        table.Feed([
            Built("7", "g,m,e"), Built("8", "g,m,f"), .. Opened("1", "7", "a.test:80", "x", 1001),
            .. Opened("2", "8", "a.test:80", "y", 1002),
            Built("9", "g,m,h"), $"STREAM 3 NEW 0 b.test:80 SOURCE_ADDR=/run/socks:0 PURPOSE=USER SOCKS_PASSWORD=\"z\"",
            "STREAM 3 SENTCONNECT 9 b.test:80", "STREAM 3 SUCCEEDED 9 b.test:80"]);

        Assert.That(table.FindExit("x", 1001, null)?.Exit.Nickname, Is.EqualTo("e"));
        Assert.That(table.FindExit(null, 1002, null)?.Exit.Nickname, Is.EqualTo("f"));
        Assert.That(table.FindExit("z", null, "B.test:80")?.Exit.Nickname, Is.EqualTo("h"));
        Assert.That(table.FindExit("z", null, "b.test:81"), Is.Null);
        Assert.That(table.FindExit("x", 1002, null), Is.Null, "a port that is used again");
    }

    [Test]
    public void FindCarrier_still_knows_a_stream_that_has_just_ended_and_forgets_it_among_others()
    {
        var table = new CircuitTable(_time);
        table.Feed(
            [
                Built("7", "g,m,e"), .. Opened("1", "7", "a.test:80", "x", 1001), "STREAM 1 CLOSED 7 a.test:80 REASON=DONE",
                Died("7", "g,m,e")]);
        Assert.That(table.FindExit("x", 1001, null)?.Exit.Nickname, Is.EqualTo("e"));
        Assert.That(table.FindExit("x", null, "A.test:80")?.Exit.Nickname, Is.EqualTo("e"));

        table.Feed([Built("8", "g,m,f")]);
        for (int i = 0; i < StreamJoin.MaxEnded; i++)
            table.Feed([.. Opened($"s{i}", "8", $"b{i}.test:80", $"y{i}", 2000 + i), $"STREAM s{i} CLOSED 8 b{i}.test:80 REASON=DONE"]);
        Assert.That(table.FindExit("x", 1001, null), Is.Null);
        Assert.That(table.FindExit("x", null, "a.test:80"), Is.Null);
        Assert.That(table.FindExit("y0", 2000, null)?.Exit.Nickname, Is.EqualTo("f"));
    }

    [Test]
    public void Load_starts_over_and_keeps_what_streams_came_with()
    {
        var table = new CircuitTable(_time);
        table.Feed([Built("7", "g,m,e"), .. Opened("1", "7", "a.test:80", "x", 1001), .. Opened("2", "7", "gone.test:80")]);

        table.Load(
            [$"8 BUILT {Path("g,m,f")} PURPOSE=GENERAL SOCKS_PASSWORD=\"y\""], ["1 SUCCEEDED 8 a.test:80", "5 SUCCEEDED 8 c.test:443"]);

        Assert.That(table.Counts, Is.EqualTo((1, 2)));
        Assert.That(table.FindExit("x", 1001, null)?.CircuitId, Is.EqualTo("8"));
        Assert.That(table.FindExit("y", null, "c.test:443")?.CircuitId, Is.EqualTo("8"), "by its circuit's token");
    }

    [Test]
    public void Memory_is_bounded()
    {
        var table = new CircuitTable(_time);
        for (int i = 0; i < CircuitTable.MaxCircuits + 10; i++)
            table.Feed($"CIRC {i} LAUNCHED");
        for (int i = 0; i < CircuitTable.MaxStreams + 10; i++)
            table.Feed($"STREAM {i} NEW 0 a.test:80 PURPOSE=USER");

        Assert.That(table.Counts, Is.EqualTo((CircuitTable.MaxCircuits, CircuitTable.MaxStreams)));
    }
}
