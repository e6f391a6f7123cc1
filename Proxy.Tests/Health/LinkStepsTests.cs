using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Health.Commands;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

/// <summary>Probes of a worker behind a link: this end of it, and canaries over it.</summary>
[CancelAfter(30_000)]
public sealed class LinkStepsTests
{
    private const string Canary = "http://canary.example/";
    private static readonly byte[] Answer = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\n\r\n");

    private FakeTorWorker _tor = null!;
    private TcpListener _transPort = null!;
    private LinkTransport _transport = null!;

    [SetUp]
    public void Start()
    {
        // By SOCKS the canary answers; RESOLVE gives its address.
        _tor = new FakeTorWorker
        {
            ReplyAddress = static request => request.Command == 0xF0 ? IPAddress.Parse("198.51.100.7") : null,
            OnStream = AnswerAsync,
        };
        _transPort = new TcpListener(IPAddress.Loopback, 0);
        _transPort.Start();
        _transport = new LinkTransport(_transPort.LocalEndpoint);
    }

    [TearDown]
    public async Task StopAsync()
    {
        _transPort.Dispose();
        await _tor.DisposeAsync();
    }

    [Test]
    public async Task Canary_that_answers_over_the_link_is_enough(CancellationToken token)
    {
        var serving = ServeAsync(Answer, token);
        var result = await Steps().CanaryAsync(Worker(), Health.Canary(Canary), token);
        await serving;

        Assert.That(result.Works, Is.True, result.Detail);
        Assert.That(
            _tor.Requests.Select(static request => request.Command), Is.EqualTo(new byte[] { 0xF0 }),
            "only its name was asked for at the SocksPort");
        Assert.That(_transport.OverLink.Count(), Is.EqualTo(1));
    }

    [Test]
    public async Task Canary_that_answers_by_SOCKS_and_not_over_the_link_fails(CancellationToken token)
    {
        var serving = ServeAsync([], token);
        var result = await Steps().CanaryAsync(Worker(), Health.Canary(Canary), token);
        await serving;

        Assert.That((result.Works, result.Cause), Is.EqualTo((false, FailureCause.NoFirstByte)));
        Assert.That(result.Detail, Does.Contain("by SOCKS it answers"));
    }

    [Test]
    public async Task Canary_that_is_down_by_either_way_is_its_own_fault(CancellationToken token)
    {
        _tor.Reply = static request => request.Command == 0xF0 ? (byte)0 : (byte)5;
        var serving = ServeAsync([], token);
        var result = await Steps().CanaryAsync(Worker(), Health.Canary(Canary), token);
        await serving;

        Assert.That(result.Works, Is.True, result.Detail);
    }

    /// <summary>
    /// By SOCKS the canary seems down, which would be its own fault: that must not cover up that the link does not carry.
    /// </summary>
    [TestCase(SocketError.ConnectionRefused, FailureCause.WorkerRefused)]
    [TestCase(SocketError.TimedOut, FailureCause.WorkerTimeout)]
    [TestCase(SocketError.NetworkUnreachable, FailureCause.LinkDown)]
    public async Task Canary_that_proves_the_links_fault_is_not_covered_up_by_SOCKS(
        SocketError error, FailureCause cause, CancellationToken token)
    {
        _tor.Reply = static request => request.Command == 0xF0 ? (byte)0 : (byte)5;
        _transport.LinkError = error;
        var result = await Steps().CanaryAsync(Worker(), Health.Canary(Canary), token);

        Assert.That((result.Works, result.Cause), Is.EqualTo((false, cause)), result.Detail);
        Assert.That(
            _tor.Requests.Select(static request => request.Command), Is.EqualTo(new byte[] { 0xF0 }), "only its name was asked for");
    }

    [Test]
    public async Task Canary_without_a_use_for_links_goes_by_SOCKS(CancellationToken token)
    {
        var result = await Steps(usesLinks: false).CanaryAsync(Worker(), Health.Canary(Canary), token);

        Assert.That(result.Works, Is.True, result.Detail);
        Assert.That(_transport.OverLink, Is.Empty);
    }

    [TestCase("lo", "127.0.0.1", ProbeStepResult.Passed, "lo (127.0.0.1) is up")]
    [TestCase("lo", "192.0.2.1", ProbeStepResult.Failed, "interface lo does not have the address 192.0.2.1")]
    [TestCase("tb-none", "127.0.0.1", ProbeStepResult.Failed, "interface tb-none does not exist")]
    public async Task Link_is_there_with_its_address_or_fails(
        string name, string address, ProbeStepResult expected, string detail, CancellationToken token)
    {
        var (result, said) = await Steps().LinkAsync(Worker() with { Link = new WireGuardLink(name, IPAddress.Parse(address)) }, token);

        Assert.That((result, said), Is.EqualTo((expected, detail)));
    }

    [Test]
    public async Task Recovery_runs_ReconnectCommand_for_a_missing_link_and_looks_again(CancellationToken token)
    {
        string mark = Path.GetTempFileName();
        try
        {
            var options = new HealthOptions { Canary = [Canary] };
            var hosts = new WorkerHosts([new WorkerOptions { Name = "w", ReconnectCommand = $"echo $TORBALANCER_WORKER >{mark}" }]);
            var sequence = new WorkerProbeSequence(
                hosts, Steps(),
                new ControlSteps(new ProbeBench.FixedFacts(), options, TimeProvider.System, NullLogger<ControlSteps>.Instance),
                new CommandRunner(TimeProvider.System), options, TimeProvider.System, NullLogger<WorkerProbeSequence>.Instance);
            var state = new WorkerState(Worker() with { Link = new WireGuardLink("tb-none", IPAddress.Loopback) });

            var report = await sequence.RunAsync(state, inRecovery: false, token);
            Assert.That(await File.ReadAllTextAsync(mark, token), Is.Empty, "only recovery may run it");
            Assert.That((report.Failure?.Name, report.IsUnreachable), Is.EqualTo((ProbeSteps.Link, true)));

            report = await sequence.RunAsync(state, inRecovery: true, token);
            Assert.That(await File.ReadAllTextAsync(mark, token), Is.EqualTo("w\n"));
            var made = report.Steps.Where(static step => step.Result != ProbeStepResult.Skipped);
            Assert.That(
                made.Select(static step => (step.Name, step.Result)),
                Is.EqualTo(new[] { (ProbeSteps.Reconnect, ProbeStepResult.Passed), (ProbeSteps.Link, ProbeStepResult.Failed) }));
            Assert.That(UplinkFreeze.MayBeUplink(state, report), Is.False, "an interface that is not there says nothing of our network");
        }
        finally
        {
            File.Delete(mark);
        }
    }

    [Test]
    public void Newest_handshake_of_all_peers_counts()
    {
        var time = new ManualTimeProvider();
        long now = time.GetUtcNow().ToUnixTimeSeconds();
        var steps = new LinkSteps(new CommandRunner(time), time);

        Assert.That(
            steps.Newest($"kBs0hcVVP15mbsQDIFw=\t{now - 90} | 12345678hcVVP15mbsQD=?{now - 30}"), Is.EqualTo(TimeSpan.FromSeconds(30)));
        Assert.That(steps.Newest("kBs0hcVVP15mbsQDIFw=\t0"), Is.Null);
        Assert.That(steps.Newest(""), Is.Null);
    }

    /// <summary>Permission or the tool may come while the daemon runs; a link that comes back is asked about at once.</summary>
    [Test]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task Handshake_that_could_not_be_asked_for_is_asked_for_again(CancellationToken token)
    {
        string directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;
        try
        {
            string tool = Path.Combine(directory, "it's wg"), calls = Path.Combine(directory, "calls"), good = Path
                .Combine(directory, "good");
            var time = new ManualTimeProvider();
            await File.WriteAllTextAsync(
                tool,
                $"#!/bin/sh\necho \"$*\" >>'{calls}'\n[ -e '{good}' ] || exit 1\nprintf "
                    + $"'key\\t{time.GetUtcNow().ToUnixTimeSeconds() - 7}\\n'\n",
                token);
            File.SetUnixFileMode(tool, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var steps = new LinkSteps(new CommandRunner(TimeProvider.System), time, tool);
            WorkerModel there = Worker() with { Link = new WireGuardLink("lo", IPAddress.Loopback) }, gone = Worker() with
            {
                Link = new WireGuardLink("lo", IPAddress.Parse("192.0.2.1")),
            };

            Assert.That(await AskAsync(there), Is.EqualTo(("lo (127.0.0.1) is up", 1)));
            Assert.That(await AskAsync(there), Is.EqualTo(("lo (127.0.0.1) is up", 1)), "not at every probe");
            time.Advance(LinkSteps.AskAgainAfter);
            Assert.That(await AskAsync(there), Is.EqualTo(("lo (127.0.0.1) is up", 2)));

            await AskAsync(gone);
            await File.WriteAllTextAsync(good, "", token);
            Assert.That(
                await AskAsync(there),
                Is.EqualTo(($"lo (127.0.0.1) is up, last handshake {LinkSteps.AskAgainAfter.TotalSeconds + 7:0} s ago", 3)),
                "it came back");
            Assert.That((await File.ReadAllLinesAsync(calls, token))[^1], Is.EqualTo("show lo latest-handshakes"));

            async Task<(string Said, int Calls)> AskAsync(WorkerModel worker) =>
                ((await steps.LinkAsync(worker, token)).Detail, (await File.ReadAllLinesAsync(calls, token)).Length);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task AnswerAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        await stream.ReadExactlyAsync(new byte[4], token);
        await stream.WriteAsync(Answer, token);
    }

    /// <summary>One connection that is taken, heard and answered, or closed without a byte.</summary>
    private async Task ServeAsync(byte[] answer, CancellationToken token)
    {
        using var client = await _transPort.AcceptSocketAsync(token);
        await client.ReceiveAsync(new byte[4096], token);
        await client.SendAsync(answer, token);
        client.Shutdown(SocketShutdown.Send);
    }

    private WorkerModel Worker() => new("w", _tor.EndPoint, Link: new WireGuardLink("wg0", IPAddress.Parse("10.201.1.1")));

    private WorkerSteps Steps(bool usesLinks = true)
    {
        var time = TimeProvider.System;
        var options = new ConnectOptions();
        var socks = new WorkerDialer(_transport, options, time);
        var links = new LinkDialer(_transport, new LinkResolver(socks, new LinkDnsClient(time), new RouteOptions(), time), options, time);
        return new WorkerSteps(
            _transport, new CircuitProbe(socks, time, links), new HealthOptions { ProbeTimeout = TimeSpan.FromSeconds(20) },
            usesLinks ? new LinkSteps(new CommandRunner(time), time) : null);
    }

    private static class Health
    {
        public static Canary Canary(string text) => TorBalancer.Health.Canary.Parse(text);
    }
}
