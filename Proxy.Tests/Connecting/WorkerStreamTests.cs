using System.Net;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>One stream of a worker's is accounted for once, whoever carries it and in however many parts.</summary>
[CancelAfter(10_000)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public class WorkerStreamTests
{
    private readonly RecordingOutcomes _outcomes = new();
    private readonly WorkerState _worker = new(
        new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1), ControlEndPoint: new IPEndPoint(IPAddress.Loopback, 2)));
    private readonly TunnelCounters _counters = new();

    [Test]
    public async Task End_counts_what_moved_since_the_stream_began()
    {
        _counters.AddFromClient(1000);
        _counters.AddFromUpstream(1000);
        await using (var stream = await OpenAsync())
        {
            stream.Begin(_counters);
            _counters.AddFromClient(10);
            _counters.AddFromUpstream(20);
            Assert.That(stream.End(TunnelEnd.UpstreamReset).IsError, Is.False);
        }

        Assert.That((_worker.BytesSent, _worker.BytesReceived), Is.EqualTo((10, 20)));
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "ended" }));
    }

    [Test]
    public async Task CountBytes_tells_each_byte_once_and_End_only_the_rest()
    {
        await using (var stream = await OpenAsync())
        {
            stream.Begin(_counters);
            _counters.AddFromUpstream(20);
            stream.CountBytes();
            stream.CountBytes();
            Assert.That(_worker.BytesReceived, Is.EqualTo(20));
            _counters.AddFromClient(3);
            stream.End(TunnelEnd.UpstreamClosed);
            _counters.AddFromClient(500);
            stream.End(TunnelEnd.Finished);
        }

        Assert.That((_worker.BytesSent, _worker.BytesReceived), Is.EqualTo((3, 20)));
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "ended" }), "once, and what was counted before is an answer too");
    }

    /// <summary>Whoever looks on asks for what has moved while the tunnel moves and ends: no byte is lost or told twice.</summary>
    [Test]
    public async Task CountBytes_by_others_while_it_lives_and_ends_tells_each_byte_once(CancellationToken token)
    {
        const int chunks = 20_000;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(token);
        await using var stream = await OpenAsync();
        stream.Begin(_counters);
        var lookers = Enumerable.Range(0, 2).Select(_ => Task.Run(
            () =>
            {
                while (!over.IsCancellationRequested)
                    stream.CountBytes();
            }, CancellationToken.None)).ToArray();
        long last = 0;
        for (int i = 0; i < chunks; i++)
        {
            _counters.AddFromClient(3);
            _counters.AddFromUpstream(5);
            long now = _worker.BytesReceived;
            Assert.That(now, Is.GreaterThanOrEqualTo(last), "a total never falls");
            last = now;
        }

        stream.End(TunnelEnd.UpstreamReset);
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "ended" }), "it was answered, whoever counted the answer");
        await over.CancelAsync();
        await Task.WhenAll(lookers);
        Assert.That((_worker.BytesSent, _worker.BytesReceived), Is.EqualTo((3L * chunks, 5L * chunks)));
    }

    [Test]
    public async Task First_byte_is_measured_once_for_each_stream()
    {
        await using (var stream = await OpenAsync())
        {
            stream.Begin(_counters);
            _counters.AddFromClient(1);
            _counters.AddFromUpstream(1);
            _counters.AddFromUpstream(1);
            stream.End(TunnelEnd.Finished);
        }

        await using (var silent = await OpenAsync())
            silent.Begin(_counters);
        _counters.AddFromUpstream(1);

        long[] counts = new long[DurationHistogram.Bounds.Count + 1];
        _worker.Meters.FirstByte.CopyTo(counts);
        Assert.That(counts.Sum(), Is.EqualTo(1), "what came after a stream was disposed is not its own");
    }

    [Test]
    public async Task End_without_an_answer_says_so()
    {
        await using var stream = await OpenAsync();
        stream.Begin(_counters);
        _counters.AddFromClient(3);
        stream.End(TunnelEnd.UpstreamReset);

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "ended in silence" }));
    }

    [Test]
    public async Task Silence_of_a_link_is_told_as_a_failure_and_not_as_an_end()
    {
        await using var stream = await OpenAsync(viaLink: true);
        stream.Begin(_counters);
        _counters.AddFromClient(3);

        Assert.That(stream.End(TunnelEnd.UpstreamClosed).Cause, Is.EqualTo(FailureCause.NoFirstByte));
        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte" }));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Silence_is_watched_for_those_who_have_no_limits_of_their_own(bool watches)
    {
        var time = new ManualTimeProvider();
        await using var stream = await OpenAsync(viaLink: true, new StreamAccounting(_outcomes, TimeSpan.FromSeconds(60), time));
        stream.Begin(_counters, watches);
        _counters.AddFromClient(3);
        time.Advance(TimeSpan.FromMinutes(5));

        Assert.That(_outcomes.Told, Is.EqualTo(watches ? ["no_first_byte"] : Array.Empty<string>()));
    }

    [Test]
    public async Task Stream_that_never_began_is_not_accounted_for_and_gives_its_lease_back()
    {
        var stream = await OpenAsync();
        Assert.That(_worker.Active, Is.EqualTo(1));
        stream.End(TunnelEnd.UpstreamReset);
        await stream.DisposeAsync();
        await stream.DisposeAsync();

        Assert.That(_outcomes.Told, Is.Empty);
        Assert.That(_worker.Active, Is.Zero);
    }

    [Test]
    public async Task Key_is_how_the_control_port_knows_it()
    {
        await using var stream = await OpenAsync();

        Assert.That(
            (stream.Key!.WorkerId, stream.Key.Password, stream.Key.Target.ToString()), Is.EqualTo(("w", "token", "example.com:80")));
        Assert.That(stream.Key.LocalPort, Is.EqualTo(((IPEndPoint)stream.Connection.LocalEndPoint!).Port));
    }

    private async Task<WorkerStream> OpenAsync(bool viaLink = false, StreamAccounting? accounting = null)
    {
        var (near, far) = await TestSocketConnection.ConnectPairAsync();
        far.Dispose();
        Assert.That(HostEndPoint.TryCreate("example.com", 80, out var target), Is.True);
        var result = new DialResult(new TestSocketConnection(near), default, default, viaLink);
        var attempt = new ConnectAttempt(_worker.Lease(), result, TimeSpan.Zero, "token");
        return new WorkerStream(attempt, target, accounting ?? new StreamAccounting(_outcomes, TimeSpan.Zero, TimeProvider.System));
    }
}
