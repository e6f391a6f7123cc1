using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// What contrib/ has for HAProxy and keepalived, in front of real daemons: the shipped files, with the addresses and ports of the test.
/// </summary>
[CancelAfter(90_000)]
public sealed class SeveralGatewaysTests
{
    private readonly int _front = FreePort.Find(), _port = FreePort.Find(), _readiness = FreePort.Find(), _agent = FreePort.Find();
    private string _directory = "";

    private string Stats => Path.Combine(_directory, "stats");

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("tbg").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    /// <summary>
    /// What a killed gateway carried at that moment is lost, as in any crash; so the kill comes between two requests, and what is shown is
    /// that no later one is.
    /// </summary>
    [Test]
    public async Task Haproxy_loses_no_request_when_a_gateway_drains_comes_back_and_another_is_killed(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var second = await StartAsync("127.0.0.12", worker, token);
        await using var haproxy = StartHaproxy();
        await using (var first = await StartAsync("127.0.0.11", worker, token))
        {
            await BecomesAsync("gw1", "UP", token);
            await BecomesAsync("gw2", "UP", token);
            Assert.That(await RequestsAsync(20, token), Is.EqualTo(20));
            Assert.That(await TotalAsync("gw1", token), Is.Positive);
            Assert.That(await TotalAsync("gw2", token), Is.Positive);

            first.Terminate();
            await haproxy.WaitForLineAsync("Server gateways/gw1 enters drain state", token);
            long before = await TotalAsync("gw1", token);
            Assert.That(await RequestsAsync(40, token), Is.EqualTo(40));
            Assert.That(await TotalAsync("gw1", token), Is.EqualTo(before), "nothing new goes there");
            Assert.That(first.Exited.IsCompleted, Is.False);
            Assert.That(await first.StopAsync(token), Is.Zero);
        }

        // Its successor says ready: HAProxy would keep the drain otherwise.
        await using var again = await StartAsync("127.0.0.11", worker, token);
        await haproxy.WaitForLineAsync("(leaving forced drain)", token);
        await BecomesAsync("gw1", "UP", token);
        long returned = await TotalAsync("gw1", token);
        Assert.That(await RequestsAsync(20, token), Is.EqualTo(20));
        Assert.That(await TotalAsync("gw1", token), Is.GreaterThan(returned));

        // A new release takes its place while requests come; HAProxy hears nothing of it but that all is well.
        int downs = DownOf(haproxy);
        await using var upgraded = await UpgradeUnderLoadAsync(again, token);
        Assert.That(await ColumnAsync("gw1", "status", token), Does.StartWith("UP"));
        Assert.That(DownOf(haproxy), Is.EqualTo(downs));

        second.Kill();
        await second.Exited.WaitAsync(token);
        Assert.That(await RequestsAsync(60, token), Is.EqualTo(60), "those that HAProxy has not noticed it for are sent to the other one");

        // It would be a lame duck for long.
        upgraded.Kill();
    }

    /// <summary>How often it has found the first gateway down.</summary>
    private static int DownOf(ForegroundProcess haproxy) =>
        haproxy.ToString().Split('\n').Count(static line => line.Contains("gateways/gw1 is DOWN", StringComparison.Ordinal));

    /// <summary>Requests all the time until it has taken over and the old one is gone; each was served.</summary>
    private async Task<DaemonUnderTest> UpgradeUnderLoadAsync(DaemonUnderTest old, CancellationToken token)
    {
        var upgrading = old.SucceedAsync(token);
        int asked = 0, served = 0;
        while (!upgrading.IsCompleted || !old.Exited.IsCompleted || asked < 40)
        {
            served += await RequestsAsync(10, token);
            asked += 10;
        }

        Assert.That(await old.Exited, Is.Zero, string.Join('\n', old.Lines));
        Assert.That(served, Is.EqualTo(asked));
        return await upgrading;
    }

    [Test]
    public async Task Keepalived_understands_its_file_and_the_check_says_what_it_is_asked(CancellationToken token)
    {
        string text = Repository.Text("contrib/keepalived/keepalived.conf");
        string check = text.Split('\n').Single(static line => line.Contains("script \"", StringComparison.Ordinal)).Split('"')[1];
        Assert.That(check, Does.StartWith("/usr/bin/torbalancer healthcheck --admin unix:/run/torbalancer/"));
        await using var worker = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory(), socket = Path.Combine(directory, "admin.sock");
        await using (await DaemonUnderTest.StartAsync(LameDuckTests.Workers(worker), token, directory, socket: "unix:" + socket))
            Assert.That((await CheckAsync()).ExitCode, Is.Zero);
        Assert.That((await CheckAsync()).ExitCode, Is.EqualTo(1));

        string? link = NetworkInterface.GetAllNetworkInterfaces()
            .FirstOrDefault(static one => one.NetworkInterfaceType != NetworkInterfaceType.Loopback
                && one is { SupportsMulticast: true, OperationalStatus: OperationalStatus.Up })?.Name;
        if (link is null)
            Assert.Ignore("skipped: keepalived wants an interface with multicast, and there is none");
        string file = Path.Combine(_directory, "keepalived.conf");
        await File.WriteAllTextAsync(
            file,
            text.Replace("eth0", link, StringComparison.Ordinal)
                .Replace("/usr/bin/torbalancer", ClientProcess.Require("true"), StringComparison.Ordinal)
                .Replace("script_user torbalancer", "script_user root", StringComparison.Ordinal), token);
        var judged = await ProgramRun.RunAsync(ClientProcess.Require("keepalived"), ["-t", "-l", "-f", file], token);
        Assert.That(judged.ExitCode, Is.Zero, judged.Output + judged.Error);

        Task<ProgramResult> CheckAsync() => ProgramRun.RunAsync(
            ProgramRun.Daemon,
            check.Replace("/run/torbalancer", directory, StringComparison.Ordinal).Split(' ')[1..], token);
    }

    private Task<DaemonUnderTest> StartAsync(string address, FakeTorWorker worker, CancellationToken token) =>
        StartAsync(address, worker, DaemonUnderTest.MakeDirectory(), token);

    private Task<DaemonUnderTest> StartAsync(
        string address, FakeTorWorker worker, string directory, CancellationToken token) => DaemonUnderTest.StartAsync(
        string.Create(
            CultureInfo.InvariantCulture,
            $"""
            {LameDuckTests.Workers(worker)}
            [Readiness]
            Address = {address}:{_readiness}
            Agent = {address}:{_agent}
            [Tunnel]
            LameDuck = 10m

            """),
        token, directory, socket: $"unix:{directory}/admin.sock",
        environment: new Dictionary<string, string>
        {
            ["TORBALANCER_Listener__main__Address"] = string.Create(CultureInfo.InvariantCulture, $"{address}:{_port}"),
        });

    private ForegroundProcess StartHaproxy()
    {
        string haproxy = ClientProcess.Require("haproxy"), file = Path.Combine(_directory, "haproxy.cfg");
        string text = Repository.Text("contrib/haproxy/haproxy.cfg");
        foreach (var (old, next) in ((string, string)[])[
            ("server gw1 192.0.2.11:1080", $"server gw1 127.0.0.11:{_port}"),
            ("server gw2 192.0.2.12:1080", $"server gw2 127.0.0.12:{_port}"),
            ("bind :1080", $"bind 127.0.0.1:{_front}"), ("port 1082", $"port {_readiness}"), ("agent-port 1083", $"agent-port {_agent}")])
        {
            Assert.That(text, Does.Contain(old));
            text = text.Replace(old, next, StringComparison.Ordinal);
        }

        File.WriteAllText(file, text + $"\nglobal\n    stats socket {Stats} mode 600 level admin\n");
        return ForegroundProcess.Start([haproxy, "-db", "-f", file]);
    }

    /// <summary>One after the other, each over a connection of its own; how many were served.</summary>
    private async Task<int> RequestsAsync(int count, CancellationToken token)
    {
        int served = 0;
        for (int i = 0; i < count; i++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _front), token);
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            try
            {
                if ((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1] != 0)
                    continue;
                byte[] echo = Encoding.ASCII.GetBytes($"request {i}");
                await stream.WriteAsync(echo, token);
                byte[] back = new byte[echo.Length];
                await stream.ReadExactlyAsync(back, token);
                served += back.AsSpan().SequenceEqual(echo) ? 1 : 0;
            }
            catch (IOException)
            {
                // Not served.
            }
        }

        return served;
    }

    /// <summary>Waits until HAProxy shows the server like this, whatever its health check has come to ("DRAIN 1/2").</summary>
    private async Task BecomesAsync(string server, string status, CancellationToken token)
    {
        while ((await ColumnAsync(server, "status", token)).Split(' ')[0] != status)
            await Task.Delay(50, token);
    }

    private async Task<long> TotalAsync(string server, CancellationToken token) =>
        long.Parse(await ColumnAsync(server, "stot", token), CultureInfo.InvariantCulture);

    private async Task<string> ColumnAsync(string server, string column, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        while (true)
        {
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Stats), token);
                break;
            }
            catch (SocketException)
            {
                // It has just been started.
                await Task.Delay(50, token);
            }
        }

        await socket.SendAsync("show stat\n"u8.ToArray(), token);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        using var reader = new StreamReader(stream);
        string[] lines = (await reader.ReadToEndAsync(token)).Split('\n');
        int at = Array.IndexOf(lines[0].TrimStart('#', ' ').Split(','), column);
        return lines.Single(line => line.StartsWith($"gateways,{server},", StringComparison.Ordinal)).Split(',')[at];
    }
}
