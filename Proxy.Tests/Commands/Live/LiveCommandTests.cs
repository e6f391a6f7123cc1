using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands.Live;

/// <summary>The commands to a live daemon, in front of the real admin API of a proxy with two workers.</summary>
[CancelAfter(60_000)]
public class LiveCommandTests
{
    private FakeTorWorker _first = null!, _second = null!;
    private AdminUnderTest _admin = null!;

    [SetUp]
    public async Task StartAsync()
    {
        (_first, _second) = (new FakeTorWorker(), new FakeTorWorker());
        _admin = await AdminUnderTest.StartAsync(_first, _second);
    }

    [TearDown]
    public async Task StopAsync()
    {
        await _admin.DisposeAsync();
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [Test]
    public async Task Status_shows_every_worker_and_how_many_may_be_used(CancellationToken token)
    {
        await using var client = await ConnectAsync("example.com", 80, token);

        var run = await CommandRun.OfAsync(_admin, "status");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Lines[0], Is.EqualTo($"TorBalancer at {_admin.Server.Address}: 2 of 2 workers may carry connections"));
        string[] row = run.Row("worker-01"), other = run.Row("worker-02");
        Assert.That(row[..4], Is.EqualTo(new[] { "worker-01", "HEALTHY", "1", "1" }), run.Output);
        Assert.That(other[..4], Is.EqualTo(new[] { "worker-02", "HEALTHY", "0", "0" }), run.Output);
    }

    [Test]
    public async Task Status_in_json_is_the_workers_of_the_api_and_the_counts(CancellationToken token)
    {
        var run = await CommandRun.OfAsync(_admin, "status", "--json");

        using var json = JsonDocument.Parse(run.Output);
        var workers = (await _admin.GetAsync("/api/v1/workers", token)).GetProperty("workers");
        Assert.That(json.RootElement.GetProperty("workers").GetRawText(), Is.EqualTo(workers.GetRawText()));
        Assert.That(json.RootElement.GetProperty("available_workers").GetInt32(), Is.EqualTo(2));
        Assert.That(json.RootElement.GetProperty("admin").GetString(), Is.EqualTo($"{_admin.Server.Address}"));
    }

    [Test]
    public async Task Drain_and_enable_change_the_pool_and_say_so(CancellationToken token)
    {
        await using var client = await ConnectAsync("example.com", 80, token);

        var drain = await CommandRun.OfAsync(_admin, "drain", "WORKER-01", "worker-02");

        Assert.That((drain.Code, drain.Error), Is.EqualTo((0, "")));
        Assert.That(drain.Output, Is.EqualTo("worker-01 drains; 1 connection may go on\nworker-02 drains; nothing is on it\n"));
        Assert.That(_admin.Proxy.Pool.Snapshot.AllWorkers.Count(static worker => worker.IsEligible), Is.Zero);
        var status = await CommandRun.OfAsync(_admin, "status");
        Assert.That(status.Output, Does.Contain("0 of 2 workers may carry connections"));
        Assert.That(status.Row("worker-02")[1], Is.EqualTo("HEALTHY draining"));

        var enable = await CommandRun.OfAsync(_admin, "enable", "worker-02");

        Assert.That((enable.Code, enable.Error), Is.EqualTo((0, "")));
        Assert.That(enable.Output, Does.StartWith("worker-02 is enabled: HEALTHY"));
        Assert.That(_admin.Proxy.Pool.Find("worker-02")!.IsEligible, Is.True);
    }

    [Test]
    public async Task Drain_of_a_worker_that_is_not_there_is_4_and_the_others_are_done()
    {
        var run = await CommandRun.OfAsync(_admin, "drain", "worker-09", "worker-02");

        Assert.That(run.Code, Is.EqualTo(ExitCodes.Unknown));
        Assert.That(run.Error, Is.EqualTo("torbalancer drain: there is no worker 'worker-09'\n"));
        Assert.That(_admin.Proxy.Pool.Find("worker-02")!.IsEligible, Is.False);
    }

    [Test]
    public async Task Drain_that_waits_returns_when_the_last_connection_has_ended(CancellationToken token)
    {
        var client = await ConnectAsync("example.com", 80, token);

        var waiting = CommandRun.OfAsync(_admin, "drain", "worker-01", "--wait");
        Assert.That(await Task.WhenAny(waiting, Task.Delay(700, token)), Is.Not.EqualTo(waiting));
        await client.DisposeAsync();
        var run = await waiting.WaitAsync(token);

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Lines, Is.EqualTo(new[] { "worker-01 drains; 1 connection may go on", "1 connection left", "0 connections left" }));
    }

    [Test]
    public async Task Connections_are_listed_those_of_one_worker_alone(CancellationToken token)
    {
        await using var one = await ConnectAsync("one.example", 80, token);
        await using var two = await ConnectAsync("two.example", 443, token);

        var all = await CommandRun.OfAsync(_admin, "connections");
        var some = await CommandRun.OfAsync(_admin, "connections", "--worker", "worker-02");
        var none = await CommandRun.OfAsync(_admin, "connections", "--worker", "worker-07");

        Assert.That(all.Lines, Has.Count.EqualTo(3), all.Output);
        Assert.That(all.Output, Does.Contain("one.example:80").And.Contain("two.example:443").And.Contain("socks5"));
        Assert.That(some.Lines, Has.Count.EqualTo(2), some.Output);
        Assert.That(some.Output, Does.Contain("two.example:443").And.Contain("worker-02"));
        Assert.That((none.Code, none.Output), Is.EqualTo((0, "no connections by worker-07\n")));
    }

    [Test]
    public async Task Sessions_are_listed_and_rotated(CancellationToken token)
    {
        await using var client = await ConnectAsync("example.com", 80, token, user: "session-abc");

        var list = await CommandRun.OfAsync(_admin, "sessions");
        var rotate = await CommandRun.OfAsync(_admin, "rotate", "abc");
        var unknown = await CommandRun.OfAsync(_admin, "rotate", "xyz");

        Assert.That(list.Row("s-1")[..3], Is.EqualTo(new[] { "s-1", "abc", "worker-01" }), list.Output);
        Assert.That((rotate.Code, rotate.Output), Is.EqualTo((0, "abc: 1 session rotated\n")));
        Assert.That(unknown.Code, Is.EqualTo(ExitCodes.Unknown));
        Assert.That(unknown.Error, Is.EqualTo("torbalancer rotate: no session is known as 'xyz'\n"));
    }

    [Test]
    public async Task Sessions_without_any_say_so() =>
        Assert.That(await CommandRun.OfAsync(_admin, "sessions"), Is.EqualTo(new CommandRun(0, "no sessions\n", "")));

    [Test]
    public async Task Words_are_the_ids_for_shells()
    {
        var run = await CommandRun.OfAsync(_admin, "words", "workers");

        Assert.That((run.Code, run.Output), Is.EqualTo((0, "worker-01\nworker-02\n")));
    }

    [Test]
    public async Task Top_into_a_pipe_is_one_screen_with_rates(CancellationToken token)
    {
        await using var client = await ConnectAsync("example.com", 80, token);

        var run = await CommandRun.OfAsync(_admin, "top", "--interval", "200ms");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Lines[0], Does.Contain("2 workers, 1 connection, 0.0 connections/s"));
        Assert.That(run.Output, Does.Contain("worker-02").And.Contain("example.com:80").And.Not.Contain("\e["));
    }

    [TestCase("top", "--interval", "1ms", "--interval 1ms", "allowed is a duration from 200ms to 1m")]
    [TestCase("events", "--recent", "2000", "--recent 2000 is not allowed", "from 0 to 1000")]
    [TestCase("drain", "--fast", "worker-01", "--fast", "drain")]
    [TestCase("status", "--admin", "tor.example:80", "--admin tor.example:80", "allowed is host:port, [v6]:port or unix:/path")]
    [TestCase("explain", "c12", "--user", "--user", "explain")]
    [TestCase("drain", "", "", "WORKER", "drain")]
    public async Task Wrong_command_line_is_2_and_says_what_is_allowed(
        string command, string second, string third, string expected, string alsoExpected)
    {
        var run = await CommandRun.OfAsync([command, .. new[] { second, third }.Where(static word => word.Length > 0)]);

        Assert.That(run.Code, Is.EqualTo(ExitCodes.Usage), run.Error + run.Output);
        Assert.That(run.Error + run.Output, Does.Contain(expected).IgnoreCase.And.Contain(alsoExpected));
    }

    [Test]
    public async Task Option_of_a_target_with_a_connection_is_2()
    {
        var run = await CommandRun.OfAsync("explain", "c12", "--user", "ann", "--admin", "127.0.0.1:1");

        Assert.That(run.Code, Is.EqualTo(ExitCodes.Usage));
        Assert.That(run.Error, Does.Contain("--user belongs to a target, and c12 is a connection"));
    }

    [TestCase("status"), TestCase("top"), TestCase("connections"), TestCase("sessions"), TestCase("blacklist"), TestCase("events")]
    [TestCase("reload"), TestCase("drain worker-01"), TestCase("rotate abc"), TestCase("close c1"), TestCase("explain example.com:80")]
    public async Task Nobody_there_is_3_and_says_where_was_asked_and_what_to_do(string line)
    {
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        var run = await CommandRun.OfAsync([.. line.Split(' '), "--admin", $"{closed.LocalEndPoint}"]);

        Assert.That((run.Code, run.Output), Is.EqualTo((ExitCodes.NoDaemon, "")));
        Assert.That(
            run.Error,
            Does.StartWith($"torbalancer {line.Split(' ')[0]}: no daemon answers\n  {closed.LocalEndPoint}: Connection refused\n")
                .And.Contain("torbalancer run starts it"));
    }

    [Test]
    public async Task Socket_of_another_user_is_3_and_says_how_it_may_be_asked(CancellationToken token)
    {
        await OtherUser.RequireAsync(token);
        string directory = Directory.CreateTempSubdirectory("tbl").FullName, socket = Path.Combine(directory, "admin.sock");
        await using (await AdminUnderTest.StartAsync([_first.EndPoint], socket: socket))
        {
            string[] under = OtherUser.Under;
            var run = await ProgramRun.RunAsync(
                under[0], [.. under[1..], ProgramRun.Daemon, "status", "--admin", $"unix:{socket}"], token);

            Assert.That((run.ExitCode, run.Output), Is.EqualTo((ExitCodes.NoDaemon, "")), run.Error);
            Assert.That(run.Error, Does.Contain($"{socket}: Permission denied").And.Contain("sudo"));
        }

        Directory.Delete(directory, recursive: true);
    }

    /// <summary>A SOCKS5 stream through the proxy that is open.</summary>
    private async Task<NetworkStream> ConnectAsync(string host, int port, CancellationToken token, string? user = null)
    {
        var stream = await _admin.Proxy.ConnectAsync();
        byte[] reply = await SocksClient.RequestAsync(stream, host, port, token, user, password: "x");
        Assert.That(reply[1], Is.Zero);
        return stream;
    }
}
