using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// More clients than the system lets the daemon have descriptors, threads or memory for. It lives; whoever waits is served when
/// others leave; the admin API answers all the time.
/// </summary>
[CancelAfter(120_000), NonParallelizable] // Thousands of sockets at a time.
public partial class ExhaustionTests
{
    [Test]
    public async Task More_clients_than_descriptors_wait_and_are_served_as_others_leave(
        [Values("linux", "sockets")] string engine, [Values(256, 1_024, 4_096)] int limit, CancellationToken token)
    {
        const int rounds = 10;
        int clients = Math.Max(600, (limit / 2) + 200);
        await RunAsync(engine, ["prlimit", $"--nofile={limit}:{limit}"], clients, rounds, token);
    }

    /// <summary>Their listener would wait for ten minutes.</summary>
    [Test]
    public async Task Clients_that_ask_for_nothing_give_way_to_who_waits(
        [Values("linux", "sockets")] string engine, [Values("", "\u0005", "GET http://a.example/ HT")] string said, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var daemon = await DaemonUnderTest.StartAsync(
            Configuration(engine, ((IPEndPoint)worker.EndPoint).Port), token, under: ["prlimit", "--nofile=256:256"],
            environment: new Dictionary<string, string> { ["TORBALANCER_Listener__main__HandshakeTimeout"] = "10m" });
        var served = new List<TcpClient>();
        var silent = new List<TcpClient>();
        try
        {
            // Those that have been served stay, whoever waits.
            for (int i = 0; i < 5; i++)
                served.Add(await OpenAsync());
            int room = int.Parse(MostClients().Match(string.Join('\n', daemon.Lines)).Groups[1].Value, CultureInfo.InvariantCulture);
            for (int i = 0; i < room * 2; i++)
            {
                silent.Add(new TcpClient());
                await silent[^1].ConnectAsync(daemon.Address, token);
                await silent[^1].GetStream().WriteAsync(Encoding.ASCII.GetBytes(said), token);
            }

            for (int i = 0; i < 5; i++)
                served.Add(await OpenAsync());
            foreach (var client in served)
            {
                await client.GetStream().WriteAsync(new byte[] { 7 }, token);
                Assert.That(await SocksClient.ReadAsync(client.GetStream(), 1, token), Is.EqualTo(new byte[] { 7 }));
            }
        }
        finally
        {
            served.ForEach(static client => client.Dispose());
            silent.ForEach(static client => client.Dispose());
        }

        Assert.That(await daemon.StopAsync(token), Is.Zero);

        async Task<TcpClient> OpenAsync()
        {
            var client = new TcpClient();
            await client.ConnectAsync(daemon.Address, token);
            Assert.That((await SocksClient.RequestAsync(client.GetStream(), "echo.test", 7, token))[1], Is.Zero);
            return client;
        }
    }

    [Test]
    public async Task The_soft_limit_is_raised_to_the_hard_one(CancellationToken token)
    {
        await using var daemon = await DaemonUnderTest.StartAsync(Configuration("auto", 1), token, under: ["prlimit", "--nofile=256:3000"]);
        Assert.That(daemon.Lines, Has.Some.Contains("3000 file descriptors, of which 150 are kept"));
    }

    /// <summary>A user of its own, whose tasks are only the daemon's threads; root has no such limit.</summary>
    [Test]
    public async Task With_no_thread_to_be_had_beyond_its_own_the_daemon_serves(CancellationToken token)
    {
        string[] asUser = AsUser();
        int threads;
        await using (var daemon = await DaemonUnderTest.StartAsync(Configuration("auto", 1), token, under: asUser))
            threads = Directory.GetDirectories($"/proc/{daemon.ProcessId}/task").Length;

        // What it tries for at the start, and a few that the runtime starts for a moment.
        await RunAsync("auto", [.. asUser, "prlimit", $"--nproc={threads + 8}"], clients: 600, rounds: 3, token);
    }

    [Test]
    public async Task Too_few_threads_are_said_at_the_start(CancellationToken token)
    {
        string[] asUser = AsUser();
        string file = Path.Combine(Directory.CreateTempSubdirectory("tbx").FullName, "torbalancer.conf");
        try
        {
            await File.WriteAllTextAsync(
                file, "[Listener:main]\nAddress = 127.0.0.1:0\n\n[Admin]\nAddress = none\nSocket = none\n\n" + Configuration("auto", 1),
                token);
            var result = await ProgramRun.RunAsync(
                asUser[0], [.. asUser[1..], "prlimit", "--nproc=14", ProgramRun.Daemon, "run", "--config", file], token);
            Assert.That(result.ExitCode, Is.EqualTo(1), result.Output + result.Error);
            Assert.That(result.Error, Does.Contain("TasksMax"));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        }
    }

    [TestCase(110)]
    [TestCase(199)]
    public async Task Too_few_descriptors_are_said_at_the_start(int limit, CancellationToken token)
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("tbx").FullName, "torbalancer.conf");
        try
        {
            await File.WriteAllTextAsync(
                file, "[Listener:main]\nAddress = 127.0.0.1:0\n\n[Admin]\nAddress = none\nSocket = none\n\n" + Configuration("auto", 1),
                token);
            var result = await ProgramRun.RunAsync(
                "prlimit", [$"--nofile={limit}:{limit}", ProgramRun.Daemon, "run", "--config", file], token);
            Assert.That(result.ExitCode, Is.EqualTo(1), result.Output + result.Error);
            Assert.That(result.Error, Does.Contain("LimitNOFILE").And.Contain($"{limit}").And.Not.Contain("   at "));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        }
    }

    [Test]
    public async Task More_clients_than_memory_wait_and_are_served_as_others_leave(
        [Values("linux", "sockets")] string engine, CancellationToken token)
    {
        await using var group = MemoryGroupUnderTest.Create(64 << 20);
        await RunAsync(engine, group.Enter, clients: 1_500, rounds: 2, token);
    }

    private static async Task RunAsync(string engine, IReadOnlyList<string> under, int clients, int rounds, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var daemon = await DaemonUnderTest.StartAsync(
            Configuration(engine, ((IPEndPoint)worker.EndPoint).Port), token, under: under, admin: "Address = 127.0.0.1:0");
        var admin = IPEndPoint.Parse(AdminAddress().Match(string.Join('\n', daemon.Lines)).Groups[1].Value);
        int first = FirstServed(daemon, clients);
        for (int round = 0; round < rounds; round++)
        {
            var crowd = new Crowd(daemon.Address, first, token);
            var served = Task.WhenAll(Enumerable.Range(0, clients).Select(_ => crowd.RunOneAsync()));

            // Full: who is not served by now waits in the kernel's queue.
            await crowd.Full;
            Assert.That(daemon.Exited.IsCompleted, Is.False, string.Join('\n', daemon.Lines.TakeLast(5)));
            using (var http = new HttpClient())
            using (var health = await http.GetAsync($"http://{admin}/api/v1/health", token))
                Assert.That(health.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            crowd.Leave();
            await served;
            Assert.That(crowd.Served, Is.GreaterThan(clients / 2), "others were told 01 at once");
        }

        Assert.That(await daemon.StopAsync(token), Is.Zero, string.Join('\n', daemon.Lines.TakeLast(5)));
    }

    /// <summary>A part of what the daemon says that it can carry: so many are served while nobody leaves.</summary>
    private static int FirstServed(DaemonUnderTest daemon, int clients)
    {
        int said = int.Parse(MostClients().Match(string.Join('\n', daemon.Lines)).Groups[1].Value, CultureInfo.InvariantCulture);
        return Math.Min(said, clients) / 2;
    }

    private static string Configuration(string engine, int port) =>
        $"[Engine]\nTransport = {engine}\n\n[Log]\nAccess = no\n\n[Health]\nEnabled = no\n\n[Worker:one]\nAddress = "
            + $"127.0.0.1\nSocksPort = {port}\n";

    private static string[] AsUser()
    {
        if (Environment.UserName != "root")
            Assert.Ignore("skipped: only root can become another user");
        return
        [
            ClientProcess.Require("setpriv"), "--reuid=54917", "--regid=54917", "--clear-groups", "--inh-caps=+dac_override",
            "--ambient-caps=+dac_override",
        ];
    }

    [GeneratedRegex("Admin API on ([0-9.:]+)")]
    private static partial Regex AdminAddress();

    [GeneratedRegex("([0-9]+) clients at a time")]
    private static partial Regex MostClients();

    /// <summary>Clients that come at one time, and that stay, once served, until they are told to leave.</summary>
    private sealed class Crowd(IPEndPoint proxy, int first, CancellationToken token)
    {
        private readonly TaskCompletionSource _full = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _leave = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _served;

        public int Served => Volatile.Read(ref _served);

        public Task Full => _full.Task.WaitAsync(token);

        public void Leave() => _leave.SetResult();

        public async Task RunOneAsync()
        {
            using var client = new TcpClient();
            await client.ConnectAsync(proxy, token);
            var stream = client.GetStream();
            var reply = await SocksClient.RequestAsync(stream, "echo.test", 7, token);
            if (reply[1] != 0)
            {
                Assert.That(reply[1], Is.EqualTo(1));
                return;
            }

            byte[] said = [1, 2, 3, 4];
            await stream.WriteAsync(said, token);
            Assert.That(await SocksClient.ReadAsync(stream, said.Length, token), Is.EqualTo(said));
            if (Interlocked.Increment(ref _served) == first)
                _full.SetResult();
            await _leave.Task.WaitAsync(token);
        }
    }
}
