using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Readiness;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>[Tunnel] LameDuck and what is said meanwhile, on the real process.</summary>
[CancelAfter(60_000)]
[Category(ProgramRun.Native)]
public sealed class LameDuckTests
{
    [Test]
    public async Task Stop_is_announced_while_connections_are_taken_until_told_again(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory();
        using var manager = new ServiceManagerSocket(directory);
        int port = FreePort.Find(), agent = FreePort.Find();
        string socket = Path.Combine(directory, "admin.sock");
        await using var daemon = await DaemonUnderTest.StartAsync(
            $"{Workers(worker)}[Readiness]\nAddress = 127.0.0.1:{port}\nAgent = 127.0.0.1:{agent}\n"
                + "[Tunnel]\nLameDuck = 10m\nDrainTimeout = 5s\n",
            token, directory, socket: "unix:" + socket, notify: manager.Path,
            environment: new Dictionary<string, string> { ["WATCHDOG_USEC"] = "4000000" });
        Assert.That(await manager.WaitForAsync("READY=1", token), Does.EndWith("STATUS=ready: 1 of 1 workers may carry connections"));
        await manager.WaitForAsync("WATCHDOG=1", token);
        Assert.That(await CurlAsync(port, "/livez", token), Is.EqualTo("200 alive\n"));
        Assert.That(await CurlAsync(port, "/readyz", token), Is.EqualTo("200 ready: 1 of 1 workers may carry connections\n"));
        Assert.That(await AgentAsync(agent, token), Is.EqualTo("ready up 100%\n"));

        daemon.Terminate();

        // 10 min, 5 s of draining, and what follows.
        Assert.That(
            await manager.WaitForAsync("STOPPING=1", token),
            Does.Contain("EXTEND_TIMEOUT_USEC=650000000\n").And.Contain("STATUS=not ready: the daemon is about to stop"));
        Assert.That(await CurlAsync(port, "/readyz", token), Does.StartWith("503 not ready: the daemon is about to stop"));
        Assert.That(await CurlAsync(port, "/livez", token), Is.EqualTo("200 alive\n"));
        Assert.That(await AgentAsync(agent, token), Is.EqualTo("drain\n"));
        var healthcheck = await RunAsync("healthcheck", directory, token);
        Assert.That(
            (healthcheck.ExitCode, healthcheck.Error),
            Is.EqualTo((
                1,
                "torbalancer healthcheck: not ready: the daemon is about to stop; it still takes connections, but others should get "
                    + "them\n")));
        Assert.That((await RunAsync("status", directory, token)).Output, Does.Contain("not ready: the daemon is about to stop"));
        Assert.That(await TryAsync(daemon.Address, token), Is.True, "clients that come all the same are served");
        await manager.WaitForAsync("WATCHDOG=1", token);

        var clock = Stopwatch.StartNew();
        daemon.Terminate();
        Assert.That(await daemon.Exited.WaitAsync(token), Is.Zero);
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromSeconds(30)));
        Assert.That(daemon.Lines, Has.Some.Contains("Told to stop again: the listeners close now"));
        Assert.That(daemon.Lines, Has.None.Contains(" ERROR "));
    }

    [Test]
    public async Task Lame_duck_ends_by_itself_and_draining_follows(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        int port = FreePort.Find();
        await using var daemon = await DaemonUnderTest.StartAsync(
            $"{Workers(worker)}[Readiness]\nAddress = 127.0.0.1:{port}\n[Tunnel]\nLameDuck = 1s\nDrainTimeout = 4s\n", token);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(daemon.Address, token);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1], Is.Zero);

        var clock = Stopwatch.StartNew();
        daemon.Terminate();
        await daemon.WaitForLineAsync(static line => line.Contains("the listeners close", StringComparison.Ordinal), token);
        Assert.That(clock.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(0.9)));

        // It answers until the tunnel has had its time.
        Assert.That(await CurlAsync(port, "/readyz", token), Does.StartWith("503 not ready: the daemon is stopping"));
        Assert.That(await TryAsync(daemon.Address, token), Is.False);
        Assert.That(await daemon.Exited.WaitAsync(token), Is.Zero);
        Assert.That(clock.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(4.8)));
    }

    [Test]
    public async Task Readiness_address_that_is_taken_ends_the_start_in_words(CancellationToken token)
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        string directory = Directory.CreateTempSubdirectory("tbl").FullName;
        try
        {
            var run = await ProgramRun.RunAsync(
                ProgramRun.Daemon,
                [
                    "run", "--Worker:w1:Address=127.0.0.1", "--Admin:Address=none", "--Admin:Socket=none",
                    "--Listener:main:Address=127.0.0.1:0",
                    $"--Readiness:Agent={other.LocalEndpoint}", "--config", Empty(directory), "--Balancing:KeyFile=auto",
                    $"--ManagedWorkers:DataDirectory={directory}",
                ], token);

            Assert.That(run.ExitCode, Is.EqualTo(1));
            Assert.That(
                run.Error,
                Does.Contain($"torbalancer: [Readiness] Agent cannot listen on {other.LocalEndpoint}: Address already in use\n"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    internal static string Workers(FakeTorWorker worker) =>
        $"[Health]\nEnabled = no\n[Worker:w1]\nAddress = 127.0.0.1\nSocksPort = {((IPEndPoint)worker.EndPoint).Port}\n";

    private static string Empty(string directory)
    {
        string file = Path.Combine(directory, "t.conf");
        File.WriteAllText(file, "");
        return file;
    }

    /// <summary>Real curl: the status, a space and the body.</summary>
    private static async Task<string> CurlAsync(int port, string path, CancellationToken token)
    {
        var result = await ClientProcess.CurlAsync(token, "--write-out", "%{http_code}", $"http://127.0.0.1:{port}{path}");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return $"{result.Output[^3..]} {result.Output[..^3]}";
    }

    private static Task<string> AgentAsync(int port, CancellationToken token) =>
        ReadinessUnderTest.AskAsync(new IPEndPoint(IPAddress.Loopback, port), "", token);

    private static Task<ProgramResult> RunAsync(string command, string directory, CancellationToken token) => ProgramRun.RunAsync(
        ProgramRun.Daemon, [command, "--config", Path.Combine(directory, "torbalancer.conf")], token);

    private static async Task<bool> TryAsync(IPEndPoint address, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address, token);
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            return (await SocksClient.RequestAsync(stream, "a.example", 80, token))[1] == 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
