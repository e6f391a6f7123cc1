using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl.Relays;

/// <summary>How much it takes to hold something against an exit, and when nothing may be.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class CircuitWatcherEvidenceTests
{
    private readonly ManualTimeProvider _time = new();

    [Test]
    public void Failed_needs_three_failures_on_two_circuits_and_two_destinations()
    {
        Assert.That(Last(("1", "a"), ("1", "b"), ("2", "a")), Is.EqualTo(new EvidenceView(3, 2, 2, 3)));
        Assert.That(Last(("1", "a"), ("2", "b")), Is.Null, "two failures");
        Assert.That(Last(("1", "a"), ("1", "b"), ("1", "c")), Is.Null, "one circuit");
        Assert.That(Last(("1", "a"), ("2", "a"), ("3", "a")), Is.Null, "one destination");
        Assert.That(Last(("1", "a"), ("2", "b"), ("2", "b"), ("2", "b")), Is.Null, "a client that tries again");
    }

    [Test]
    public void Success_clears()
    {
        var evidence = new ExitEvidence(_time, 3);
        evidence.Failed(Verdict("e", "1", "a"));
        evidence.Failed(Verdict("e", "2", "b"));
        evidence.Succeeded(new RelayName("E", null));

        Assert.That(evidence.Failed(Verdict("e", "3", "c")), Is.Null);
    }

    [TestCase(300, true)]
    [TestCase(301, false)]
    public void Old_failures_do_not_count(int seconds, bool counts)
    {
        var evidence = new ExitEvidence(_time, 3);
        evidence.Failed(Verdict("e", "1", "a"));
        _time.Advance(TimeSpan.FromSeconds(seconds));
        evidence.Failed(Verdict("e", "2", "b"));

        Assert.That(evidence.Failed(Verdict("e", "3", "c")) is not null, Is.EqualTo(counts));
    }

    [Test]
    public void Destination_that_fails_at_every_exit_is_the_destination_s_fault()
    {
        var evidence = new ExitEvidence(_time, 3);
        EvidenceView? found = null;
        foreach (string exit in new[] { "e", "f" })
        {
            for (int i = 0; i < 6; i++)
                found = evidence.Failed(Verdict(exit, $"{exit}{i}", $"closed{i % 3}", StreamFault.Ambiguous));
        }

        Assert.That(found, Is.Null);
    }

    [Test]
    public void Ambiguous_failures_at_one_exit_count()
    {
        var evidence = new ExitEvidence(_time, 3);
        evidence.Failed(Verdict("e", "1", "a", StreamFault.Ambiguous));
        evidence.Failed(Verdict("e", "2", "b", StreamFault.Ambiguous));

        Assert.That(evidence.Failed(Verdict("e", "2", "c", StreamFault.Ambiguous)), Is.EqualTo(new EvidenceView(3, 2, 3, 0)));
    }

    [Test]
    public void Brake_holds_while_the_network_is_down()
    {
        var brake = new GlobalBrake(_time);
        Assert.That(brake.Reason(), Is.Null);
        brake.SetLiveness(false);
        Assert.That(brake.Reason(), Does.Contain("network is down"));
        brake.SetLiveness(true);
        Assert.That(brake.Reason(), Is.Null);
    }

    [Test]
    public void Brake_holds_while_no_relay_can_be_reached()
    {
        var brake = new GlobalBrake(_time);
        brake.Link(OrConnStatus.Failed);
        brake.Link(OrConnStatus.Failed);
        Assert.That(brake.Reason(), Is.Null);
        brake.Link(OrConnStatus.Failed);
        Assert.That(brake.Reason(), Does.Contain("no relay"));
        brake.Link(OrConnStatus.Connected);
        Assert.That(brake.Reason(), Is.Null);
    }

    [Test]
    public void Brake_holds_when_most_streams_fail_over_many_exits()
    {
        var brake = new GlobalBrake(_time);
        foreach (string exit in new[] { "e", "f", "e", "f", "e", "f" })
            brake.Stream(Verdict(exit, "1", "a"));
        Assert.That(brake.Reason(), Is.Null, "two exits");
        brake.Stream(Verdict("g", "1", "a"));
        Assert.That(brake.Reason(), Does.Contain("most streams"));
        for (int i = 0; i < 8; i++)
            brake.Stream(Verdict("e", "1", "a", StreamFault.None));
        Assert.That(brake.Reason(), Is.Null, "half of them work");
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.That(brake.Reason(), Is.Null);
    }

    [Test]
    public void Brake_holds_for_a_while_after_no_path()
    {
        var brake = new GlobalBrake(_time);
        brake.NoPath();
        Assert.That(brake.Reason(), Does.Contain("no path"));
        _time.Advance(GlobalBrake.NoPathPause + TimeSpan.FromSeconds(1));
        Assert.That(brake.Reason(), Is.Null);
    }

    private EvidenceView? Last(params (string Circuit, string Destination)[] failures)
    {
        var evidence = new ExitEvidence(_time, 3);
        EvidenceView? last = null;
        foreach (var (circuit, destination) in failures)
            last = evidence.Failed(Verdict("e", circuit, destination));
        return last;
    }

    private static StreamVerdict Verdict(string exit, string circuit, string destination, StreamFault fault = StreamFault.CircuitDied) =>
        new(fault, circuit, circuit, new RelayName(exit.ToUpperInvariant(), exit), destination, "t");
}
