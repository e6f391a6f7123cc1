using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Health;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>Each step of a probe against real sockets. Each test has a bench of its own: some set its limits.</summary>
[CancelAfter(60_000), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class WorkerStepsTests : IDisposable
{
    private readonly ProbeBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Test]
    public async Task Host_is_up_when_its_port_takes_a_connection(CancellationToken token)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var host = (IPEndPoint)listener.LocalEndpoint;
        var worker = new WorkerModel("w", host);
        Assert.That((await _bench.Steps.HostAsync(worker, new WorkerHost(host, ""), token)).Result, Is.EqualTo(ProbeStepResult.Passed));
        listener.Stop();
        Assert.That((await _bench.Steps.HostAsync(worker, new WorkerHost(host, ""), token)).Result, Is.EqualTo(ProbeStepResult.Failed));
        Assert.That((await _bench.Steps.HostAsync(worker, WorkerHost.Unknown, token)).Result, Is.EqualTo(ProbeStepResult.Skipped));
    }

    /// <summary>No number is low enough for this budget, as when all that probes may have are taken.</summary>
    [Test]
    public async Task What_we_lack_ourselves_makes_a_probe_inconclusive([Values] bool hasHost, CancellationToken token)
    {
        await using var server = new FakeTorWorker();
        using var bench = new ProbeBench();
        bench.Transport = new ServiceTransport(new SocketTransport(TimeProvider.System, default, new DescriptorBudget(new NothingLeft())));
        var worker = new WorkerState(new WorkerModel("w", server.EndPoint));
        var report = await bench.Sequence(new WorkerOptions { Name = "w", SshPort = hasHost ? ((IPEndPoint)server.EndPoint).Port : 0 })
            .RunAsync(worker, inRecovery: false, token);
        Assert.That(
            (report.IsInconclusive, report.Passed, report.Failure), Is.EqualTo((true, false, (ProbeStep?)null)), ProbeBench.Text(report));
        Assert.That(report.Proof, Is.EqualTo(GoneProof.None));
        Assert.That(server.Accepted, Is.Zero);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_canary_that_we_have_no_descriptor_for_is_no_failure(bool isConnected, CancellationToken token)
    {
        var transport = new ServiceTransport(
            new SocketTransport(
                TimeProvider.System, default, isConnected ? DescriptorBudget.Unlimited() : new DescriptorBudget(new NothingLeft())));
        var probe = new CircuitProbe(
            new TorBalancer.Connecting.WorkerDialer(transport, new ConnectOptions(), TimeProvider.System), TimeProvider.System);
        await using var server = new FakeTorWorker();
        var asking = probe.RunAsync(new WorkerModel("w", server.EndPoint), Canary.Parse("a.example:80"), TimeSpan.FromSeconds(20), token);
        if (isConnected)
            Assert.That((await asking).Works, Is.True);
        else
            Assert.That(async () => await asking, Throws.TypeOf<OwnLackException>());
    }

    [Test]
    public void What_is_ours_is_told_from_what_is_the_workers()
    {
        Assert.That(OwnLack.Is(new IOException("", new SocketException((int)SocketError.TooManyOpenSockets))), Is.True);
        Assert.That(OwnLack.Is(new SocketException((int)SocketError.NoBufferSpaceAvailable)), Is.True);
        Assert.That(OwnLack.Is(new IOException("a file", 24)), Is.True);
        Assert.That(OwnLack.Is(new System.ComponentModel.Win32Exception(24)), Is.True);
        Assert.That(OwnLack.Is(new IOException("", new SocketException((int)SocketError.ConnectionRefused))), Is.False);
        Assert.That(OwnLack.Is(new TimeoutException()), Is.False);
    }

    [TestCase(new byte[] { 5, 0 }, ProbeStepResult.Passed, "05 00")]
    [TestCase(new byte[] { 5, 0xFF }, ProbeStepResult.Failed, "it wants a password (05 FF)")]
    [TestCase(new byte[] { 0x48, 0x54 }, ProbeStepResult.Failed, "it does not speak SOCKS5")]
    [TestCase(new byte[] { 5 }, ProbeStepResult.Failed, "it closed the connection")]
    [TestCase(new byte[0], ProbeStepResult.Failed, "it closed the connection")]
    public async Task Socks_is_a_real_greeting(byte[] answer, ProbeStepResult result, string detail, CancellationToken token)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeAsync();
        var made = await _bench.Steps.SocksAsync(new WorkerModel("w", listener.LocalEndpoint), token);
        await serving;
        Assert.That(made, Is.EqualTo((result, detail)));

        async Task ServeAsync()
        {
            using var socket = await listener.AcceptSocketAsync(token);
            byte[] greeting = new byte[3];
            await using var stream = new NetworkStream(socket);
            await stream.ReadExactlyAsync(greeting, token);
            Assert.That(greeting, Is.EqualTo(new byte[] { 5, 1, 0 }));
            await stream.WriteAsync(answer, token);
        }
    }

    [Test]
    public async Task Tls_that_nobody_vouches_for_was_reached_all_the_same(CancellationToken token)
    {
        using var certificate = TestCertificate.Create();
        var named = new TaskCompletionSource<string>();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                await using var tls = new SslStream(stream, leaveInnerStreamOpen: true);
                await tls.AuthenticateAsServerAsync(
                    (_, hello, _, _) =>
                    {
                        named.TrySetResult(hello.ServerName);
                        return ValueTask.FromResult(new SslServerAuthenticationOptions { ServerCertificate = certificate });
                    }, null, stop);
            },
        };

        var result = await _bench.Steps.CanaryAsync(new WorkerModel("w", worker.EndPoint), Canary.Parse("https://canary.example/"), token);

        Assert.That(result.Works, Is.True, result.Detail);
        Assert.That(result.Detail, Does.StartWith("canary.example:443: reached, but"));
        Assert.That(await named.Task.WaitAsync(token), Is.EqualTo("canary.example"));
    }

    [Test]
    public async Task Tls_that_never_answers_fails_at_its_limit(CancellationToken token)
    {
        _bench.Options.ProbeTimeout = TimeSpan.FromMilliseconds(200);
        await using var worker = new FakeTorWorker { OnStream = static (_, _, stop) => Task.Delay(Timeout.Infinite, stop) };
        var result = await _bench.Steps.CanaryAsync(new WorkerModel("w", worker.EndPoint), Canary.Parse("https://canary.example/"), token);
        Assert.That((result.Works, result.Detail), Is.EqualTo((false, "canary.example:443: connected, and no answer in time")));
    }

    [TestCase(100, "up", ProbeStepResult.Passed, "started, network up")]
    [TestCase(100, "down", ProbeStepResult.Failed, "it says that its network is down")]
    [TestCase(45, "up", ProbeStepResult.Failed, "its start is at 45 %: Loading")]
    public async Task Control_is_what_tor_says_of_itself(
        int progress, string liveness, ProbeStepResult result, string detail, CancellationToken token)
    {
        await using var port = new FakeControlPort
        {
            Script = command => command.StartsWith("GETINFO ", StringComparison.Ordinal)
                ? $"250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS={progress} TAG=x SUMMARY=\"Loading\"\r\n"
                    + $"250-network-liveness={liveness}\r\n250 OK\r\n"
                : FakeControlPort.DefaultScript(command),
        };
        Assert.That(await _bench.Control.ControlAsync(At(port.EndPoint), token), Is.EqualTo((result, detail)));
    }

    [Test]
    public async Task Control_port_that_refuses_us_or_is_not_there_fails(CancellationToken token)
    {
        var port = new FakeControlPort
        {
            Script = static command =>
                command.StartsWith("AUTHENTICATE", StringComparison.Ordinal) ? "515 No\r\n" : FakeControlPort.DefaultScript(command),
        };
        Assert.That((await _bench.Control.ControlAsync(At(port.EndPoint), token)).Result, Is.EqualTo(ProbeStepResult.Failed));
        await port.DisposeAsync();
        Assert.That((await _bench.Control.ControlAsync(At(port.EndPoint), token)).Result, Is.EqualTo(ProbeStepResult.Failed));
        Assert.That(
            (await _bench.Control.ControlAsync(new WorkerModel("w", port.EndPoint), token)).Result, Is.EqualTo(ProbeStepResult.Skipped));
    }

    [TestCase(0, 0, false, ProbeStepResult.Passed, "0 of its latest 0 circuits found a path")]
    [TestCase(10, 4, false, ProbeStepResult.Passed, "6 of its latest 10 circuits found a path")]
    [TestCase(10, 9, true, ProbeStepResult.Failed, "no path was found for 9 of its latest 10 circuits")]
    public void Paths_are_what_the_events_told(int sought, int notFound, bool isLost, ProbeStepResult result, string detail)
    {
        _bench.Facts.Facts = Facts(connected: true) with { Paths = new PathTrend(sought, notFound, isLost) };
        Assert.That(_bench.Control.Paths(At(new IPEndPoint(IPAddress.Loopback, 1))), Is.EqualTo((result, detail)));
    }

    [Test]
    public void Paths_say_nothing_without_a_connection()
    {
        _bench.Facts.Facts = Facts(connected: false) with { Paths = new PathTrend(10, 10, true) };
        Assert.That(_bench.Control.Paths(At(new IPEndPoint(IPAddress.Loopback, 1))).Result, Is.EqualTo(ProbeStepResult.Skipped));
        Assert.That(
            _bench.Control.Paths(new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1))).Result, Is.EqualTo(ProbeStepResult.Skipped));
    }

    [Test]
    public async Task Worker_that_finds_no_path_fails_before_any_canary(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        _bench.Facts.Facts = Facts(connected: true) with { Paths = new PathTrend(5, 5, true) };
        var state = new WorkerState(new WorkerModel("w", worker.EndPoint, ControlEndPoint: new IPEndPoint(IPAddress.Loopback, 1)));

        var report = await _bench.Sequence(new WorkerOptions { Name = "w" }).RunAsync(state, false, token);

        Assert.That(
            ProbeBench.Text(report),
            Is.EqualTo("host=Skipped link=Skipped socks=Passed paths=Failed circuit=Skipped onion=Skipped control=Skipped"));
        Assert.That((report.IsUnreachable, worker.Requests.Count), Is.EqualTo((false, 0)), "its circuits fail, it itself is there");
    }

    [Test]
    public async Task Whole_sequence_passes_with_a_worker_that_works(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var port = new FakeControlPort
        {
            Script = static command => command.StartsWith("GETINFO ", StringComparison.Ordinal)
                ? "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n250-network-liveness=up\r\n250 "
                    + "OK\r\n"
                : FakeControlPort.DefaultScript(command),
        };
        _bench.Facts.Facts = Facts(connected: true);
        _bench.Options.OnionCanary = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion:80";
        using var ssh = new TcpListener(IPAddress.Loopback, 0);
        ssh.Start();
        var options = new WorkerOptions { Name = "w", Address = IPAddress.Loopback, SshPort = ((IPEndPoint)ssh.LocalEndpoint).Port };

        var report = await _bench.Sequence(options)
            .RunAsync(new WorkerState(new WorkerModel("w", worker.EndPoint, ControlEndPoint: port.EndPoint)), false, token);

        Assert.That(
            ProbeBench.Text(report),
            Is.EqualTo("host=Passed link=Skipped socks=Passed paths=Passed circuit=Passed onion=Passed control=Passed"));
    }

    private static WorkerModel At(EndPoint control) => new("w", new IPEndPoint(IPAddress.Loopback, 1), ControlEndPoint: control);

    private static WorkerTorFacts Facts(bool connected) => new() { IsConnected = connected, IsNetworkLive = true, TorVersion = "0.4.9.11" };

    private sealed class NothingLeft : IOpenDescriptors
    {
        public int Limit => 2;

        public int Count() => 2;
    }
}
