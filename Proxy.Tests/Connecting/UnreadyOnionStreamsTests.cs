using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

public sealed class UnreadyOnionStreamsTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    private const string Onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:80";

    [TestCase("0.4.9.11", true)]
    [TestCase("0.4.9.12", true)]
    [TestCase("0.4.9.13", false)]
    [TestCase(null, true)]
    [CancelAfter(30_000)]
    public async Task An_attempt_that_is_given_up_stays_open_until_tor_answers(string? version, bool isKept, CancellationToken token)
    {
        await using var setup = new Setup(version);
        var answer = setup.HoldAnswers();
        using var gone = new CancellationTokenSource();
        var dialing = setup.DialAsync(Onion, gone.Token);
        await setup.UntilAsync(static one => !one.Worker.Requests.IsEmpty, token);
        await gone.CancelAsync();
        Assert.That(async () => await dialing, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(setup.Kept.Count, Is.EqualTo(isKept ? 1 : 0));
        answer.SetResult();
        await setup.UntilAsync(static one => one.Worker.Open == 0 && one.Kept.Count == 0, token);
    }

    [Test, CancelAfter(30_000)]
    public async Task Time_that_is_over_keeps_it_as_well_and_the_end_of_the_daemon_closes_it(CancellationToken token)
    {
        await using var setup = new Setup("0.4.9.11");
        setup.HoldAnswers();
        var result = await setup.DialAsync(Onion, token, TimeSpan.FromMilliseconds(200));
        Assert.That(result.Error.Cause, Is.EqualTo(FailureCause.ConnectTimeout));
        Assert.That(setup.Kept.Count, Is.EqualTo(1));
        await setup.Kept.DisposeAsync();
        await setup.UntilAsync(static one => one.Kept.Count == 0, token);
        await setup.DialAsync(Onion, token, TimeSpan.FromMilliseconds(200));
        Assert.That(setup.Kept.Count, Is.Zero, "nothing is kept any more");
    }

    [Test, CancelAfter(30_000)]
    public async Task A_worker_that_has_not_even_greeted_has_the_request_all_the_same(CancellationToken token)
    {
        await using var setup = new Setup("0.4.9.11");
        setup.Worker.Silent = true;
        await setup.DialAsync(Onion, token, TimeSpan.FromMilliseconds(200));
        Assert.That(setup.Kept.Count, Is.EqualTo(1));
        setup.Worker.CloseAll();
        await setup.UntilAsync(static one => one.Kept.Count == 0, token);
    }

    [Test, CancelAfter(30_000)]
    public async Task Other_targets_are_closed_at_once(CancellationToken token)
    {
        await using var setup = new Setup("0.4.9.11");
        setup.HoldAnswers();
        await setup.DialAsync("example.com:80", token, TimeSpan.FromMilliseconds(200));
        Assert.That(setup.Kept.Count, Is.Zero);
    }

    [TestCase("0.4.9.11", false)]
    [TestCase("0.4.9.13", true)]
    [TestCase(null, true)]
    public async Task Onion_services_are_not_hedged_over_tors_that_are_known_to_have_the_fault(string? version, bool isHedged)
    {
        await using var setup = new Setup(version);
        var delay = new HedgeDelay(new HedgeOptions(HedgeKind.After, TimeSpan.FromSeconds(2)), setup.Kept);
        Assert.That(delay.For(Target(Onion)), isHedged ? Is.EqualTo(TimeSpan.FromSeconds(2)) : Is.Null);
        Assert.That(delay.For(Target("example.com:80")), Is.EqualTo(TimeSpan.FromSeconds(2)));
    }

    private static HostEndPoint Target(string text)
    {
        Assert.That(HostEndPoint.TryParseAuthority(text, null, out var target, out _));
        return target;
    }

    private sealed class Setup : IAsyncDisposable, ITorVersions
    {
        private readonly TorVersion? _version;
        private readonly WorkerModel _model;
        private readonly WorkerDialer _dialer;

        public Setup(string? version)
        {
            _version = version is null ? null : TorVersion.TryParse(version);
            _model = new WorkerModel("w", Worker.EndPoint);
            var pool = new WorkerPool();
            pool.Apply([_model]);
            Kept = new UnreadyOnionStreams(pool, this, DescriptorBudget.Unlimited(), TimeProvider.System);
            _dialer = new WorkerDialer(new SocketTransport(TimeProvider.System), new ConnectOptions(), TimeProvider.System, onions: Kept);
        }

        public FakeTorWorker Worker { get; } = new();

        public UnreadyOnionStreams Kept { get; }

        public TorVersion? VersionOf(string workerId) => _version;

        /// <summary>From now on the worker answers no request until the result is set.</summary>
        public TaskCompletionSource HoldAnswers()
        {
            var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Worker.ReplyGate = answer.Task;
            return answer;
        }

        public Task<DialResult> DialAsync(string target, CancellationToken token, TimeSpan? timeout = null) =>
            _dialer.DialAsync(_model, ProxyCommand.Connect, Target(target), new IsolationToken("token"), timeout ?? Long, token).AsTask();

        public async Task UntilAsync(Func<Setup, bool> condition, CancellationToken token)
        {
            while (!condition(this))
                await Task.Delay(5, token);
        }

        public async ValueTask DisposeAsync()
        {
            await Kept.DisposeAsync();
            await Worker.DisposeAsync();
        }
    }
}
