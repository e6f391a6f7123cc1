using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Health;
using TorBalancer.Health.Alerts;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>[Health] Connectivity: what a dead uplink explains is held against nobody.</summary>
[CancelAfter(20_000)]
public class UplinkWatchTests
{
    private static readonly ProxyError Broken = new(FailureCause.WorkerUnreachable);

    /// <summary>Of a worker that is reached by the uplink: what becomes of one on this machine is no matter of it.</summary>
    private static readonly IPAddress Elsewhere = IPAddress.Parse("192.0.2.1");

    [Test]
    public async Task Only_worker_stays_in_service_while_the_uplink_is_away(CancellationToken token)
    {
        var uplink = new FakeUplink { IsUp = false };
        await using var bench = new HealthBench(address: Elsewhere, uplink: uplink);
        for (int i = 0; i < 10; i++)
            bench.Monitor.DialFailed(bench.Worker, Broken);
        await UntilAsync(() => bench.Events.IsFrozen && bench.Monitor.FactsOf(bench.Worker).Failures == 3, token);
        for (int i = 0; i < 10; i++)
            bench.Monitor.ProbeDone(bench.Monitor.Of(bench.Worker), FakeProbes.Report(false), 0);

        Assert.That(bench.Changes, Is.EqualTo(["healthy>suspect"]));
        Assert.That(Kinds(bench), Is.EqualTo([HealthEventKind.DemotionFrozen]));
        bench.Clock.Advance(TimeSpan.FromMinutes(5));
        Assert.That(bench.Worker.Operational, Is.EqualTo(WorkerOperationalState.Suspect), "its window does not end it either");
    }

    [Test]
    public async Task Worker_is_judged_again_when_the_uplink_is_back(CancellationToken token)
    {
        var uplink = new FakeUplink { IsUp = false };
        await using var bench = new HealthBench(address: Elsewhere, uplink: uplink);
        bench.Monitor.DialFailed(bench.Worker, Broken);
        await UntilAsync(() => bench.Events.IsFrozen, token);
        uplink.IsUp = true;
        while (bench.Events.IsFrozen)
        {
            token.ThrowIfCancellationRequested();
            bench.Clock.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        Assert.That(Kinds(bench), Is.EqualTo([HealthEventKind.DemotionFrozen, HealthEventKind.DemotionThawed]));
        while (bench.Worker.Operational != WorkerOperationalState.Recovery)
        {
            token.ThrowIfCancellationRequested();
            bench.Monitor.DialFailed(bench.Worker, Broken);
            await Task.Yield();
        }
    }

    [Test]
    public async Task Success_of_a_worker_is_better_evidence_than_the_addresses(CancellationToken token)
    {
        await using var bench = new HealthBench(address: Elsewhere, uplink: new FakeUplink { IsUp = false });
        bench.Monitor.DialFailed(bench.Worker, Broken);
        await UntilAsync(() => bench.Events.IsFrozen && bench.Worker.Operational == WorkerOperationalState.Suspect, token);
        bench.Monitor.DialSucceeded(bench.Worker, default);
        Assert.That(bench.Events.IsFrozen, Is.False);
    }

    [Test]
    public async Task Failures_count_as_ever_when_the_uplink_is_there(CancellationToken token)
    {
        await using var bench = new HealthBench(address: Elsewhere, uplink: new FakeUplink { IsUp = true });
        for (int i = 0; i < 3; i++)
            bench.Monitor.DialFailed(bench.Worker, Broken);
        await UntilAsync(() => bench.Worker.Operational == WorkerOperationalState.Recovery, token);
        Assert.That(bench.Changes, Is.EqualTo(["healthy>suspect", "suspect>dead", "dead>recovery"]));
        Assert.That(Kinds(bench), Is.Empty);
    }

    [Test]
    public async Task Tor_of_this_machine_that_does_not_answer_is_no_matter_of_the_uplink()
    {
        var uplink = new FakeUplink { IsUp = false };
        await using var bench = new HealthBench(uplink: uplink);
        for (int i = 0; i < 3; i++)
            bench.Monitor.DialFailed(bench.Worker, new ProxyError(FailureCause.WorkerRefused));
        Assert.That((bench.Worker.Operational, uplink.Asked), Is.EqualTo((WorkerOperationalState.Recovery, 0)));
    }

    [TestCase("up,down", true)]
    [TestCase("down,refused", true, Description = "a refusal is an answer")]
    [TestCase("down,down", false)]
    [TestCase("silent,up", true, Description = "nobody waits for the silent one")]
    public async Task Check_is_good_when_one_address_answers(string script, bool isUp, CancellationToken token)
    {
        string[] answers = script.Split(',');
        var transport = new ScriptedConnects(answers);
        var check = new TcpUplinkCheck(
            transport,
            new HealthOptions { Connectivity = [.. answers.Select(static (_, i) => new IPEndPoint(IPAddress.Loopback, i + 1))] },
            new ManualTimeProvider());
        Assert.That(await check.IsUpAsync(token), Is.EqualTo(isUp));
    }

    [Test]
    public async Task Check_gives_up_at_its_limit(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        var running = new TcpUplinkCheck(
            new ScriptedConnects("silent"),
            new HealthOptions { Connectivity = [new IPEndPoint(IPAddress.Loopback, 1)], StepTimeout = TimeSpan.FromSeconds(5) }, clock)
            .IsUpAsync(token);
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.That(await running, Is.False);
    }

    [Test]
    public async Task Check_reaches_a_real_socket(CancellationToken token)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var check = new TcpUplinkCheck(
            new SocketTransport(TimeProvider.System),
            new HealthOptions { Connectivity = [(IPEndPoint)listener.LocalEndpoint], StepTimeout = TimeSpan.FromSeconds(10) },
            TimeProvider.System);
        Assert.That(await check.IsUpAsync(token), Is.True);
    }

    private static IEnumerable<HealthEventKind> Kinds(HealthBench bench) =>
        bench.Events.All.Select(static one => one.Kind)
            .Where(static kind => kind is HealthEventKind.DemotionFrozen or HealthEventKind.DemotionThawed);

    private static async Task UntilAsync(Func<bool> condition, CancellationToken token)
    {
        while (!condition())
        {
            token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private sealed class FakeUplink : IUplinkCheck
    {
        private int _asked;

        public bool IsUp { get; set; }

        public int Asked => Volatile.Read(ref _asked);

        public Task<bool> IsUpAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            return Task.FromResult(IsUp);
        }
    }

    private sealed class ScriptedConnects(params string[] answers) : ITransport
    {
        public string Name => "scripted";

        public ITransportListener Listen(EndPoint address, ListenSettings settings) => throw new NotSupportedException();

        public async ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken)
        {
            switch (answers[((IPEndPoint)request.Remote).Port - 1])
            {
                case "up":
                    var (near, far) = await TestSocketConnection.ConnectPairAsync();
                    far.Dispose();
                    return new TransportConnectResult(new TestSocketConnection(near), SocketError.Success);
                case "refused":
                    return new TransportConnectResult(null, SocketError.ConnectionRefused);
                case "silent":
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                    goto default;
                default:
                    return new TransportConnectResult(null, SocketError.NetworkUnreachable);
            }
        }

        public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
            throw new NotSupportedException();
    }
}
