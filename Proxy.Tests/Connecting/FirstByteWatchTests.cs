using System.Net;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>A stream over a link is accounted for once: at its first byte, at its end without one, or after a long silence.</summary>
public class FirstByteWatchTests
{
    private readonly WorkerState _worker = new(new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1)));
    private ManualTimeProvider _time = null!;
    private TunnelCounters _counters = null!;
    private RecordingOutcomes _outcomes = null!;

    [SetUp]
    public void Start() => (_time, _counters, _outcomes) = (new ManualTimeProvider(), new TunnelCounters(), new RecordingOutcomes());

    [Test]
    public void First_byte_is_a_success_once()
    {
        using var watch = Watch();
        _counters.AddFromClient(10);
        _time.Advance(TimeSpan.FromSeconds(2));
        _counters.AddFromUpstream(1);
        _counters.AddFromUpstream(1000);
        _time.Advance(TimeSpan.FromMinutes(5));

        Assert.That(watch.Ended(TunnelEnd.UpstreamReset).IsError, Is.False);
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "succeeded" }));
        Assert.That(_outcomes.LastElapsed, Is.EqualTo(TimeSpan.FromSeconds(2)));
    }

    [Test]
    public void End_before_the_first_byte_is_a_failure_that_says_little()
    {
        using var watch = Watch();
        _counters.AddFromClient(10);

        Assert.That(watch.Ended(TunnelEnd.Finished).Cause, Is.EqualTo(FailureCause.NoFirstByte));
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte" }));
        Assert.That(FailureCause.NoFirstByte.Info().Evidence, Is.EqualTo(FailureEvidence.Ambiguous));
    }

    [TestCase(TunnelEnd.Finished, 0, false)]
    [TestCase(TunnelEnd.ClientReset, 10, false)]
    [TestCase(TunnelEnd.UpstreamReset, 0, true)]
    [TestCase(TunnelEnd.UpstreamReset, 10, true)]
    [TestCase(TunnelEnd.Drained, 10, false)]
    public void End_that_was_not_the_workers_is_not_told(TunnelEnd end, int sent, bool isTold)
    {
        using var watch = Watch();
        _counters.AddFromClient(sent);

        Assert.That(watch.Ended(end).IsError, Is.EqualTo(isTold));
        Assert.That(_outcomes.Told, Has.Count.EqualTo(isTold ? 1 : 0));
    }

    [Test]
    public void Silence_is_counted_from_the_clients_first_byte([Values(0, 59)] int secondsBefore)
    {
        using var watch = Watch();
        _time.Advance(TimeSpan.FromSeconds(secondsBefore));
        _counters.AddFromClient(10);
        _time.Advance(TimeSpan.FromSeconds(59));
        _counters.AddFromClient(10);
        Assert.That(_outcomes.Told, Is.Empty, "a browser that connected ahead of time gets the whole time for its answer");

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte" }));
    }

    [Test]
    public void Bytes_of_earlier_streams_do_not_count()
    {
        _counters.AddFromClient(100);
        _counters.AddFromUpstream(100);
        using (var watch = Watch())
        {
            Assert.That(watch.Ended(TunnelEnd.Finished).IsError, Is.False, "the client asked for nothing");
            _counters.AddFromClient(10);
            Assert.That(watch.Ended(TunnelEnd.Finished).IsError, Is.True);
        }

        using (Watch())
            _counters.AddFromUpstream(1);
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte", "succeeded" }));
    }

    [Test]
    public void Silence_counts_once_and_only_after_the_client_has_spoken()
    {
        using (var watch = Watch())
        {
            _counters.AddFromClient(10);
            _time.Advance(TimeSpan.FromSeconds(60));
            Assert.That(watch.Ended(TunnelEnd.UpstreamReset).IsError, Is.True);
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte" }));
        Start();
        using (Watch())
            _time.Advance(TimeSpan.FromSeconds(600));
        Assert.That(_outcomes.Told, Is.Empty, "a browser that connects ahead of time sends nothing");
    }

    [Test]
    public void Silence_may_be_left_out()
    {
        using var watch = new FirstByteWatch(_worker, _counters, new StreamAccounting(_outcomes, TimeSpan.Zero, _time));
        _counters.AddFromClient(10);

        Assert.That(_time.UntilNextTimer, Is.Null);
        Assert.That(watch.Ended(TunnelEnd.Finished).IsError, Is.True, "the end is told all the same");
    }

    private FirstByteWatch Watch()
    {
        var watch = new FirstByteWatch(_worker, _counters, new StreamAccounting(_outcomes, TimeSpan.FromSeconds(60), _time));
        _counters.NextFromUpstream = watch;
        return watch;
    }
}
