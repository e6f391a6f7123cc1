using System.Globalization;
using System.Net.Sockets;
using TorBalancer.Daemon.Client;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>The command line steers a real daemon in front of real tors, over its socket.</summary>
public sealed class SteeringTests
{
    private TestNetwork _network = null!;
    private DaemonUnderTest _daemon = null!;
    private string _directory = "";

    private string SocketPath => Path.Combine(_directory, "admin.sock");

    private string Target => string.Create(CultureInfo.InvariantCulture, $"{TestNetwork.OriginName}:{_network.EchoPort}");

    [OneTimeSetUp, CancelAfter(120_000)]
    public async Task StartAsync()
    {
        _network = await SharedTestNetwork.GetAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        _directory = DaemonUnderTest.MakeDirectory();
        _daemon = await DaemonUnderTest.StartAsync(
            "[Log]\nTargets = yes\n[Balancing]\nMode = sticky\n" + DaemonUnderTest.ConfigurationFor(_network), patience.Token, _directory,
            socket: $"unix:{SocketPath}");
        for (string all = $"{_network.Workers.Count} of {_network.Workers.Count} workers"; ; await Task.Delay(100, patience.Token))
        {
            if ((await RunAsync("status")).Output.Contains(all, StringComparison.Ordinal))
                break;
        }
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
    }

    [Test, CancelAfter(60_000)]
    public async Task Explain_says_which_worker_the_next_connection_has(CancellationToken token)
    {
        for (int i = 0; i < 5; i++)
        {
            string user = string.Create(CultureInfo.InvariantCulture, $"session-explain{i}");
            var plan = await RunAsync("explain", Target, "--user", user);
            Assert.That(plan.Code, Is.Zero, plan.Error);
            string row = plan.Lines.Single(static line => line.StartsWith("chosen ", StringComparison.Ordinal));
            string chosen = row["chosen".Length..].Trim();
            await using var client = await ConnectAsync(user, token);

            var connections = await RunAsync("connections");

            Assert.That(connections.Output.Split('\n').Count(line => line.Contains(chosen, StringComparison.Ordinal)), Is.EqualTo(1),
                plan.Output + connections.Output);
        }
    }

    [Test, CancelAfter(60_000)]
    public async Task Connection_is_explained_with_its_circuit_and_closed(CancellationToken token)
    {
        await using var client = await ConnectAsync("session-close", token);
        string id = (await RunAsync("words", "connections")).Lines[^1];

        var explained = await RunAsync("explain", id);
        var closed = await RunAsync("close", id, "c999999");
        Assert.That(
            async () => await client.ReadAsync(new byte[1], token), Throws.InstanceOf<IOException>(), "it did not end by itself: a reset");

        // The client may hear of its end a moment before the connection has ended.
        while (!(await RunAsync("explain", id)).Output.Contains($"{id} ended", StringComparison.Ordinal))
            await Task.Delay(20, token);

        Assert.That(explained.Code, Is.Zero, explained.Error);
        string circuit = explained.Lines.Single(static line => line.StartsWith("circuit ", StringComparison.Ordinal));
        Assert.That(circuit.Split(" -> "), Has.Length.EqualTo(3), explained.Output);
        Assert.That(closed.Code, Is.EqualTo(ExitCodes.Unknown));
        Assert.That(closed.Output, Does.StartWith($"{id} is closed: {Target} by "));
    }

    [Test, CancelAfter(60_000)]
    public async Task Events_show_what_was_done()
    {
        var before = await RunAsync("events", "--recent", "0");
        Assert.That((before.Code, before.Output), Is.EqualTo((0, "")), before.Error);
        await RunAsync("drain", "worker-02");
        await RunAsync("enable", "worker-02");

        var events = await RunAsync("events");

        Assert.That(events.Code, Is.Zero, events.Error);
        Assert.That(
            events.Output, Does.Contain("worker_drain").And.Contain("Worker worker-02 drains on request").And.Contain("worker_enable"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Blacklist_is_empty_here_and_may_be_cleared()
    {
        Assert.That(await RunAsync("blacklist"), Is.EqualTo(new CommandRun(0, "no exit is avoided\n", "")));
        Assert.That((await RunAsync("blacklist", "clear")).Output, Is.EqualTo("0 exits may be used again\n"));
        Assert.That((await RunAsync("blacklist", "clear", new string('A', 40))).Code, Is.EqualTo(ExitCodes.Unknown));
    }

    [Test, CancelAfter(60_000)]
    public async Task Worker_is_weighed_removed_and_added_again()
    {
        var worker = _network.Workers[1];

        var weight = await RunAsync("worker", "weight", "worker-02", "5");
        var removed = await RunAsync("worker", "remove", "worker-02");
        var without = await RunAsync("words", "workers");
        var added = await RunAsync(
            "worker", "add", "worker-09", "Address=127.0.0.1",
            string.Create(CultureInfo.InvariantCulture, $"SocksPort={worker.SocksPort}"), $"ControlPort=unix:{worker.ControlPath}");
        var wrong = await RunAsync("worker", "add", "worker-10", "SocksPort=none");

        Assert.That((weight.Code, weight.Output), Is.EqualTo((0, "worker-02 has weight 5, until the next reload\n")), weight.Error);
        Assert.That((removed.Code, removed.Output), Is.EqualTo((0, "worker-02 is removed, until the next reload\n")), removed.Error);
        Assert.That(without.Lines, Has.None.EqualTo("worker-02"));
        Assert.That((added.Code, added.Error), Is.EqualTo((0, "")));
        Assert.That((await RunAsync("words", "workers")).Lines, Has.Member("worker-09"));
        Assert.That(wrong.Code, Is.EqualTo(ExitCodes.Failed));
        Assert.That(wrong.Error, Does.Contain("SocksPort"));

        // As the other tests expect it.
        Assert.That((await RunAsync("reload")).Code, Is.Zero);
    }

    [Test, CancelAfter(60_000)]
    public async Task Reload_takes_the_file_over_or_says_what_is_wrong(CancellationToken token)
    {
        string file = Path.Combine(_directory, "torbalancer.conf"), text = await File.ReadAllTextAsync(file, token);
        await File.WriteAllTextAsync(file, text.Replace("Mode = sticky", "Mode = stiky", StringComparison.Ordinal), token);
        var refused = await RunAsync("reload");
        await File.WriteAllTextAsync(file, text.Replace("Mode = sticky", "Mode = random", StringComparison.Ordinal), token);
        var done = await RunAsync("reload");
        var explained = await RunAsync("explain", Target);
        await File.WriteAllTextAsync(file, text, token);
        await RunAsync("reload");

        Assert.That(refused.Code, Is.EqualTo(ExitCodes.Failed));
        Assert.That(refused.Error, Does.Contain("torbalancer.conf:").And.Contain("stiky").And.Contain("nothing was changed"));
        Assert.That((done.Code, done.Error), Is.EqualTo((0, "")));
        Assert.That(done.Lines, Has.Member("changed: [Balancing] Mode: sticky -> random"), done.Output);
        Assert.That(explained.Output, Does.Contain("mode       random"));
    }

    private Task<CommandRun> RunAsync(params string[] arguments) => CommandRun.OfAsync([.. arguments, "--admin", $"unix:{SocketPath}"]);

    private async Task<NetworkStream> ConnectAsync(string user, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_daemon.Address, token);
        var stream = new NetworkStream(socket, ownsSocket: true);
        byte[] reply = await SocksClient.RequestAsync(stream, TestNetwork.OriginName, _network.EchoPort, token, user, "x");
        Assert.That(reply[1], Is.Zero);
        return stream;
    }
}
