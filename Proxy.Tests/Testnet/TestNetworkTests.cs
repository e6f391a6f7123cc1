using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Testnet;

/// <summary>A real network: what stands in front of, in and behind it.</summary>
[NonParallelizable] // It pauses and kills nodes that others use.
public sealed class TestNetworkTests
{
    private TestNetwork _network = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _network = await SharedTestNetwork.GetAsync();
        TestContext.Progress.WriteLine(
            $"start-up {_network.StartDuration.TotalSeconds:F1} s, {_network.ResidentBytes / 1_000_000} MB in {_network.Nodes.Count} "
                + $"processes");
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Every_worker_reaches_name_literal_and_onion(CancellationToken cancellationToken)
    {
        string[] exits = [.. _network.Exits.Select(e => e.Name + "\n")];
        foreach (TestNode worker in _network.Workers)
        {
            foreach (int socks in (int[])[worker.SocksPort, worker.PlainSocksPort])
            {
                Assert.That(
                    await FetchAsync(socks, $"{TestNetwork.OriginName}:{_network.OriginPort}/exit", cancellationToken), Is.AnyOf(exits),
                    worker.Name);
                Assert.That(
                    await FetchAsync(socks, $"127.0.0.1:{_network.OriginPort}/exit", cancellationToken), Is.EqualTo("unknown\n"),
                    worker.Name);
                Assert.That(
                    await FetchInTheEndAsync(socks, $"{_network.OnionAddress}/", cancellationToken),
                    Does.StartWith("TorBalancer test origin"), worker.Name);
            }
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Failures_are_what_they_are_published_as(CancellationToken cancellationToken)
    {
        // curl prints the SOCKS reply code in parentheses.
        Assert.That(await FailAsync($"nx.test:{_network.OriginPort}", cancellationToken), Does.Contain("(4)"));
        Assert.That(await FailAsync($"empty.test:{_network.OriginPort}", cancellationToken), Does.Contain("(4)"));
        Assert.That(await FailAsync($"127.0.0.1:{_network.ClosedPort}", cancellationToken), Does.Contain("(1)"));
        Assert.That(await FailAsync($"{new string('a', 56)}.onion", cancellationToken), Does.Contain("(246)"));

        // The service's descriptor may be on its way to the directories still: F0.
        string closed = "(240)";
        while (closed.Contains("(240)", StringComparison.Ordinal))
        {
            await Task.Delay(200, cancellationToken);
            closed = await FailAsync($"{_network.OnionAddress}:81", cancellationToken);
        }

        Assert.That(closed, Does.Contain("(5)"));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Every_relay_and_nobody_else_can_be_a_guard(CancellationToken cancellationToken)
    {
        string url = $"http://127.0.0.1:{_network.Authorities[0].DirPort}/tor/status-vote/current/consensus";
        ProgramResult consensus = await ProgramRun.CurlAsync(cancellationToken, url);
        var guards = new List<string>();
        string name = "";
        foreach (string line in consensus.Output.Split('\n'))
        {
            if (line.StartsWith("r ", StringComparison.Ordinal))
                name = line.Split(' ')[1];

            // A client takes guards that are stable and fast too.
            if (line.StartsWith("s ", StringComparison.Ordinal)
                && new[] { "Guard", "Stable", "Fast", "V2Dir" }.All(line.Split(' ').Contains))
                guards.Add(name);
        }

        Assert.That(guards, Is.EquivalentTo(_network.Relays.Select(r => r.Name)));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Address_outside_loopback_cannot_be_reached(CancellationToken cancellationToken)
    {
        Assert.That(await FailAsync("192.0.2.1", cancellationToken), Does.Contain("(1)"));
        Assert.That(await FailAsync("example.com", cancellationToken), Does.Contain("(4)"));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Paused_worker_accepts_and_never_answers_until_resumed(CancellationToken cancellationToken)
    {
        TestNode worker = _network.Workers[1];
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        byte[] answer = new byte[2];
        _network.Pause(worker.Name);
        Task<int> received;
        try
        {
            Assert.That(worker.State, Is.EqualTo(TestNodeState.Paused));
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, worker.SocksPort), cancellationToken);
            await socket.SendAsync(new byte[] { 5, 1, 0 }, SocketFlags.None, cancellationToken);
            received = socket.ReceiveAsync(answer, SocketFlags.None, cancellationToken).AsTask();
            Assert.That(received.IsCompleted, Is.False);
        }
        finally
        {
            _network.Resume(worker.Name);
        }

        Assert.That(await received, Is.EqualTo(2));
        Assert.That(answer, Is.EqualTo(new byte[] { 5, 0 }));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Killed_worker_refuses_and_serves_again_after_restart(CancellationToken cancellationToken)
    {
        TestNode worker = _network.Workers[2];
        int before = worker.ProcessId;
        await _network.KillAsync(worker.Name);
        try
        {
            Assert.That(worker.State, Is.EqualTo(TestNodeState.Stopped));
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            var refused = await Assert.ThrowsAsync<SocketException>(
                () => socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, worker.SocksPort), cancellationToken).AsTask());
            Assert.That(refused?.SocketErrorCode, Is.EqualTo(SocketError.ConnectionRefused));
        }
        finally
        {
            await _network.RestartAsync(worker.Name, cancellationToken);
        }

        Assert.That(worker.ProcessId, Is.Not.EqualTo(before));
        Assert.That(
            await FetchAsync(worker.SocksPort, $"{TestNetwork.OriginName}:{_network.OriginPort}/exit", cancellationToken),
            Does.StartWith("e"));
    }

    [TestCase("r01")]
    [TestCase("onion")]
    [CancelAfter(180_000)]
    public async Task Killed_node_of_another_kind_can_be_restarted(string name, CancellationToken cancellationToken)
    {
        await _network.KillAsync(name);
        await _network.RestartAsync(name, cancellationToken);
        Assert.That(_network.Node(name).State, Is.EqualTo(TestNodeState.Running));
    }

    [Test]
    [CancelAfter(200_000)]
    public async Task Second_network_shares_no_port_and_leaves_nothing(CancellationToken cancellationToken)
    {
        TestNetwork second = await TestNetwork.StartAsync(
            new TestNetworkOptions { Relays = 3, Exits = 1, Workers = 1, Latency = TimeSpan.FromMilliseconds(20) },
            cancellationToken: cancellationToken);
        int[] processes;
        await using (second)
        {
            Assert.That(Ports(second).Intersect(Ports(_network)), Is.Empty);
            processes = [.. second.Nodes.Select(n => n.ProcessId)];
            Assert.That(processes, Is.All.Matches<int>(ProcessStates.IsRunning));

            // Three hops there and back, first for the stream and then for the request; the circuit may be there already.
            long began = Stopwatch.GetTimestamp();
            await FetchInTheEndAsync(second.Workers[0].SocksPort, $"{TestNetwork.OriginName}:{second.OriginPort}/exit", cancellationToken);
            Assert.That(Stopwatch.GetElapsedTime(began), Is.GreaterThanOrEqualTo(12 * second.Latency));
            Assert.That(
                await FetchInTheEndAsync(second.Workers[0].SocksPort, $"{second.OnionAddress}/exit", cancellationToken),
                Is.EqualTo("unknown\n"));
            Assert.That(
                await FetchInTheEndAsync(_network.Workers[0].SocksPort, $"{_network.OnionAddress}/exit", cancellationToken),
                Is.EqualTo("unknown\n"));
        }

        Assert.That(processes, Has.None.Matches<int>(ProcessStates.IsRunning));
        Assert.That(Directory.Exists(second.Directory), Is.False);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Start_of_a_tor_that_ends_names_the_node_and_leaves_nothing(CancellationToken cancellationToken)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tbt-{Environment.ProcessId}");
        var options = new TestNetworkOptions { Directory = path, TorPath = "/bin/false" };

        var failure = await Assert.ThrowsAsync<TestNetworkException>(
            () => TestNetwork.StartAsync(options, cancellationToken: cancellationToken));

        Assert.That(failure?.Message, Does.Match("^a0[123] ended with code 1 "));
        Assert.That(Directory.Exists(path), Is.False);
    }

    [Test]
    public void Conf_names_every_worker_with_its_ports_and_cookie()
    {
        string conf = TestNetworkConf.Render(_network);
        foreach (TestNode worker in _network.Workers)
        {
            Assert.That(conf, Does.Contain(
                $"[Worker:{worker.Name}]\nAddress = 127.0.0.1\nSocksPort = {worker.SocksPort}\nControlPort = "
                    + $"unix:{worker.ControlPath}\nControlCookie = {worker.CookiePath}\n"));
        }
    }

    private static IEnumerable<int> Ports(TestNetwork network) => network.Nodes
        .SelectMany(n => (int[])[n.OrPort, n.DirPort, n.SocksPort, n.PlainSocksPort, n.DnsPort])
        .Append(network.OriginPort).Append(network.EchoPort).Append(network.ClosedPort)
        .Where(p => p != 0);

    private static async Task<string> FetchAsync(int socks, string url, CancellationToken cancellationToken)
    {
        ProgramResult result = await ProgramRun.CurlAsync(cancellationToken, "--socks5-hostname", $"127.0.0.1:{socks}", "http://" + url);
        Assert.That(result.ExitCode, Is.Zero, $"{url}: {result.Error}");
        return result.Output;
    }

    /// <summary>
    /// For an onion service that was published or restarted a moment ago: a client that has its old descriptor fails until it
    /// has fetched the new one. Ends with the test's own time limit.
    /// </summary>
    private static async Task<string> FetchInTheEndAsync(int socks, string url, CancellationToken cancellationToken)
    {
        while (true)
        {
            ProgramResult result = await ProgramRun.CurlAsync(
                cancellationToken, "--socks5-hostname", $"127.0.0.1:{socks}", "http://" + url);
            if (result.ExitCode == 0)
                return result.Output;
            await Task.Delay(500, cancellationToken);
        }
    }

    private async Task<string> FailAsync(string url, CancellationToken cancellationToken)
    {
        ProgramResult result = await ProgramRun.CurlAsync(
            cancellationToken, "--socks5-hostname", $"127.0.0.1:{_network.Workers[0].SocksPort}", "http://" + url);
        Assert.That(result.ExitCode, Is.EqualTo(97), $"{url}: {result.Output}{result.Error}");
        return result.Error;
    }
}
