using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl.Relays;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RelayBlacklistTests
{
    private static readonly EvidenceView Evidence = new(3, 2, 2, 3);

    private readonly ManualTimeProvider _time = new();

    [Test]
    public void TryAdd_in_a_large_network_keeps_to_three_percent_of_the_weight_and_drops_the_oldest()
    {
        // 100 exits of weight 10: three of them are three percent.
        var list = new RelayBlacklist(new BlacklistOptions(), _time);
        var consensus = Consensus(100);
        foreach (int exit in Enumerable.Range(0, 5))
            Assert.That(list.TryAdd(Exit(exit), Evidence, consensus, out _));

        Assert.That(list.Entries.Select(static entry => entry.Relay), Is.EqualTo(new[] { Exit(2), Exit(3), Exit(4) }));
    }

    [Test]
    public void TryAdd_keeps_to_the_number_of_relays()
    {
        var list = new RelayBlacklist(new BlacklistOptions { MaxRelays = 2 }, _time);
        foreach (int exit in Enumerable.Range(0, 3))
            Assert.That(list.TryAdd(Exit(exit), Evidence, Consensus(1000), out _));

        Assert.That(list.Entries.Select(static entry => entry.Relay), Is.EqualTo(new[] { Exit(1), Exit(2) }));
    }

    [Test]
    public void TryAdd_refuses_a_relay_that_alone_is_too_much_and_leaves_the_others()
    {
        var list = new RelayBlacklist(new BlacklistOptions(), _time);
        var consensus = Consensus(100, heavy: 7);
        Assert.That(list.TryAdd(Exit(1), Evidence, consensus, out _));

        Assert.That(list.TryAdd(Exit(7), Evidence, consensus, out string? refused), Is.False);
        Assert.That(refused, Does.Contain("weight"));
        Assert.That(list.Entries, Has.Count.EqualTo(1));
    }

    [Test]
    public void TryAdd_refuses_when_too_few_would_remain()
    {
        Assert.That(
            new RelayBlacklist(new BlacklistOptions(), _time).TryAdd(Exit(0), Evidence, Consensus(50), out string? refused), Is.False);
        Assert.That(refused, Is.EqualTo("only 49 exits would remain"));
    }

    [Test]
    public void TryAdd_in_a_small_network_leaves_half_of_the_exits()
    {
        // The private network has three exits: one of them may be avoided.
        var list = new RelayBlacklist(new BlacklistOptions { MinRemainingExits = 2 }, _time);
        foreach (int exit in Enumerable.Range(0, 3))
            Assert.That(list.TryAdd(Exit(exit), Evidence, Consensus(3), out _));
        Assert.That(list.Entries.Select(static entry => entry.Relay), Is.EqualTo(new[] { Exit(2) }));

        var few = new RelayBlacklist(new BlacklistOptions { MinRemainingExits = 1 }, _time);
        Assert.That(few.TryAdd(Exit(0), Evidence, Consensus(2), out _));
        Assert.That(few.TryAdd(Exit(0), Evidence, Consensus(1), out _), Is.False);
        Assert.That(few.TryAdd(Exit(5), Evidence, Consensus(2), out string? refused), Is.False);
        Assert.That(refused, Does.Contain("not an exit"));
    }

    [Test]
    public void Entries_end_after_their_time_and_a_later_failure_does_not_prolong_them()
    {
        var list = new RelayBlacklist(new BlacklistOptions(), _time);
        list.TryAdd(Exit(1), Evidence, Consensus(100), out _);
        _time.Advance(TimeSpan.FromMinutes(4));
        list.TryAdd(Exit(2), Evidence, Consensus(100), out _);

        Assert.That(list.UntilNextExpiry(), Is.EqualTo(TimeSpan.FromMinutes(1)));
        Assert.That(list.RemoveExpired(), Is.Empty);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.That(list.RemoveExpired().Select(static entry => entry.Relay), Is.EqualTo(new[] { Exit(1) }));
        Assert.That(list.Entries.Single().Until - list.Entries.Single().Since, Is.EqualTo(TimeSpan.FromMinutes(5)));
        Assert.That(list.Remove(Exit(2).Fingerprint));
        Assert.That(list.UntilNextExpiry(), Is.Null);
    }

    [Test]
    public void Enforce_follows_a_network_that_shrinks()
    {
        var list = new RelayBlacklist(new BlacklistOptions(), _time);
        list.TryAdd(Exit(1), Evidence, Consensus(100), out _);
        list.TryAdd(Exit(2), Evidence, Consensus(100), out _);

        list.Enforce(Consensus(52));
        Assert.That(list.Entries.Select(static entry => entry.Relay), Is.EqualTo(new[] { Exit(2) }));
        list.Enforce(Consensus(40));
        Assert.That(list.Entries, Is.Empty);
    }

    [Test]
    public void Consensus_counts_exits_that_run_and_are_not_bad()
    {
        const string text = """
            r one AAAAAAAAAAAAAAAAAAAAAAAAAAE digest 2026-01-01 00:00:00 127.0.0.1 1 0
            s Exit Fast Running Valid
            w Bandwidth=70
            r two AAAAAAAAAAAAAAAAAAAAAAAAAAI digest 2026-01-01 00:00:00 127.0.0.1 1 0
            s BadExit Exit Running
            w Bandwidth=5
            r three AAAAAAAAAAAAAAAAAAAAAAAAAAM digest 2026-01-01 00:00:00 127.0.0.1 1 0
            s Fast Guard Running
            w Bandwidth=5
            r four AAAAAAAAAAAAAAAAAAAAAAAAAAQ digest 2026-01-01 00:00:00 127.0.0.1 1 0
            s Exit Running
            w Unmeasured=1 Bandwidth=30
            """;
        var consensus = ExitConsensus.Parse(text);

        Assert.That((consensus.Count, consensus.TotalWeight), Is.EqualTo((2, 100)));
        Assert.That(consensus.WeightOf("0000000000000000000000000000000000000001"), Is.EqualTo(70));
        Assert.That(consensus.WeightOf("0000000000000000000000000000000000000004"), Is.EqualTo(30));
    }

    /// <summary>Found by fuzzing: the sum overflowed.</summary>
    [Test]
    public void Consensus_takes_weights_of_any_size()
    {
        const string text = """
            r one AAAAAAAAAAAAAAAAAAAAAAAAAAE digest 2026-01-01 00:00:00 127.0.0.1 1 0
            s Exit Running
            w Bandwidth=9223372036854775807
            r two AAAAAAAAAAAAAAAAAAAAAAAAAAI digest 2026-01-01 00:00:00 127.0.0.1 1 0
            s Exit Running
            w Bandwidth=9223372036854775807
            """;

        Assert.That(ExitConsensus.Parse(text).TotalWeight, Is.EqualTo(2L * uint.MaxValue));
    }

    internal static RelayName Exit(int number) =>
        new(number.ToString("X40", System.Globalization.CultureInfo.InvariantCulture), $"e{number}");

    internal static ExitConsensus Consensus(int exits, int heavy = -1) => ExitConsensus.Parse(ConsensusText(exits, heavy));

    internal static string ConsensusText(int exits, int heavy = -1) => string.Concat(Enumerable.Range(0, exits).Select(i =>
        $"r e{i} {Convert.ToBase64String(Convert.FromHexString(Exit(i).Fingerprint)).TrimEnd('=')} d 2026-01-01 00:00:00 127.0.0.1 1 0\n"
        + $"s Exit Running\nw Bandwidth={(i == heavy ? 50 : 10)}\n"));
}
