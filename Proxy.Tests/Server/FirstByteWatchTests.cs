using System.Net;
using TorBalancer.Primitives;
using TorBalancer.Server;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Server;

/// <summary>A stream over a link is accounted for once: at its first byte, at its end without one, or after a long silence.</summary>
public class FirstByteWatchTests
{
    private readonly WorkerState _worker = new(new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1)));
    private ManualTimeProvider _time = null!;
    private TunnelCounters _counters = null!;
    private Recording _outcomes = null!;

    [SetUp]
    public void Start() => (_time, _counters, _outcomes) = (new ManualTimeProvider(), new TunnelCounters(), new Recording());

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
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "succeeded 2" }));
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
    [TestCase(TunnelEnd.UpstreamReset, 10, true)]
    [TestCase(TunnelEnd.Drained, 10, false)]
    public void End_that_was_not_the_workers_or_is_told_elsewhere_is_not_told(TunnelEnd end, int sent, bool isError)
    {
        using var watch = Watch();
        _counters.AddFromClient(sent);

        Assert.That(watch.Ended(end).IsError, Is.EqualTo(isError));
        Assert.That(_outcomes.Told, Is.Empty);
    }

    [Test]
    public void Silence_counts_once_and_only_after_the_client_has_spoken()
    {
        using (var watch = Watch())
        {
            _counters.AddFromClient(10);
            _time.Advance(TimeSpan.FromSeconds(60));
            Assert.That(watch.Ended(TunnelEnd.Finished).IsError, Is.True);
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte" }));
        Start();
        using (Watch())
            _time.Advance(TimeSpan.FromSeconds(60));
        Assert.That(_outcomes.Told, Is.Empty, "a browser that connects ahead of time sends nothing");
    }

    [Test]
    public void Silence_may_be_left_out()
    {
        using var watch = new FirstByteWatch(_worker, _counters, _outcomes, TimeSpan.Zero, _time);
        _counters.AddFromClient(10);

        Assert.That(_time.UntilNextTimer, Is.Null);
    }

    private FirstByteWatch Watch() => new(_worker, _counters, _outcomes, TimeSpan.FromSeconds(60), _time);

    private sealed class Recording : IOutcomeSink
    {
        public List<string> Told { get; } = [];

        public void DialSucceeded(WorkerState worker, TimeSpan elapsed) => Told.Add($"succeeded {elapsed.TotalSeconds:0}");

        public void DialFailed(WorkerState worker, ProxyError error) => Told.Add(error.Word);

        public void TunnelEnded(WorkerState worker, TunnelEnd end, long fromClient, long fromUpstream) => Told.Add("ended");
    }
}
