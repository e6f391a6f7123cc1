using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>[Discovery] against a real DNS server: workers come and go with the records of a zone.</summary>
[CancelAfter(90_000)]
[Category(ProgramRun.Native)]
public sealed class DiscoveryTests
{
    private readonly int _dnsPort = FreePort.Find();
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("tbdns").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Worker_appears_with_its_record_goes_with_it_and_stays_when_nobody_answers(CancellationToken token)
    {
        await using var one = new FakeTorWorker();
        await using var two = new FakeTorWorker();
        string service = $"Name = _socks._tcp.workers.test\nResolver = 127.0.0.1:{_dnsPort}\nInterval = 1s\n";
        var dns = await StartDnsAsync([("b", one, 30)], token);
        try
        {
            await using var daemon = await DaemonUnderTest.StartAsync(
                $"[Health]\nEnabled = no\n[Discovery]\n{service}", token, socket: $"unix:{_directory}/admin.sock");
            Assert.That(await WorkersAsync(daemon, token), Is.EqualTo(["b"]), "they are there before the listeners open");
            using var tunnel = await OpenAsync(daemon.Address, token);

            // The order of records says nothing, and who stays keeps what it carries.
            await dns.DisposeAsync();
            dns = await StartDnsAsync([("b", one, 30), ("a", two, 60)], token);
            await BecomesAsync(daemon, ["a", "b"], token);
            await daemon.WaitForLineAsync(
                static line => line.Contains("names 2 workers; new: a; no longer: none", StringComparison.Ordinal), token);

            await dns.DisposeAsync();
            dns = await StartDnsAsync([("a", two, 60)], token);
            await daemon.WaitForLineAsync(static line => line.Contains("new: none; no longer: b", StringComparison.Ordinal), token);
            await daemon.WaitForLineAsync(static line => line.Contains("Worker b leaves", StringComparison.Ordinal), token);
            await EchoAsync(tunnel, token);
            int before = one.Accepted;
            for (int i = 0; i < 5; i++)
                (await OpenAsync(daemon.Address, token)).Dispose();
            Assert.That(one.Accepted, Is.EqualTo(before), "nobody new goes to the one that leaves");
            tunnel.Dispose();
            await daemon.WaitForLineAsync(static line => line.Contains("Worker b is gone", StringComparison.Ordinal), token);

            // Neither an answer without workers nor silence takes the last one away.
            await dns.DisposeAsync();
            dns = await StartDnsAsync([], token);
            await daemon.WaitForLineAsync(static line => line.Contains("The 1 that are known stay", StringComparison.Ordinal), token);
            await dns.DisposeAsync();
            await daemon.WaitForLineAsync(
                static line => line.Contains("The 1 that are known stay", StringComparison.Ordinal), token, after: 1);
            var status = await RunAsync(daemon, "status", token);
            Assert.That(status.Output, Does.Contain("the 1 workers that are known stay"), status.Error);
            (await OpenAsync(daemon.Address, token)).Dispose();
            Assert.That((await RunAsync(daemon, "reload", token)).ExitCode, Is.Zero);
            Assert.That(await WorkersAsync(daemon, token), Is.EqualTo(["a"]), "a reload does not forget them");

            // A process that takes over knows them as well.
            await using var next = await daemon.SucceedAsync(token);
            (await OpenAsync(next.Address, token)).Dispose();
            Assert.That(await WorkersAsync(next, token), Is.EqualTo(["a"]));
            await next.WaitForLineAsync(static line => line.Contains("The 1 that are known stay", StringComparison.Ordinal), token);
            dns = await StartDnsAsync([("a", two, 60)], token);
            await next.WaitForLineAsync(static line => line.Contains("answers again", StringComparison.Ordinal), token);
        }
        finally
        {
            await dns.DisposeAsync();
        }
    }

    [Test]
    public async Task Addresses_of_a_name_are_workers_at_the_configured_port(CancellationToken token)
    {
        int port = FreePort.Find();
        string hosts = Path.Combine(_directory, "hosts");
        await File.WriteAllTextAsync(hosts, "127.0.0.21 workers.test\n127.0.0.20 workers.test\n", token);
        await using var dns = await StartDnsmasqAsync([$"--addn-hosts={hosts}"], token);
        await using var daemon = await DaemonUnderTest.StartAsync(
            $"[Health]\nEnabled = no\n[Discovery]\nName = workers.test\nResolver = 127.0.0.1:{_dnsPort}\nPort = {port}\n", token,
            socket: $"unix:{_directory}/admin.sock");
        Assert.That(await WorkersAsync(daemon, token), Is.EqualTo(["127.0.0.20", "127.0.0.21"]));
    }

    private Task<ForegroundProcess> StartDnsAsync((string Host, FakeTorWorker Worker, int Weight)[] workers, CancellationToken token) =>
        StartDnsmasqAsync(
            [
                .. workers.SelectMany(static one => (string[])[
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"--srv-host=_socks._tcp.workers.test,{one.Host}.workers.test,{PortOf(one.Worker)},0,{one.Weight}"),
                    $"--host-record={one.Host}.workers.test,127.0.0.1"]),
            ], token);

    private static int PortOf(FakeTorWorker worker) => ((IPEndPoint)worker.EndPoint).Port;

    private async Task<ForegroundProcess> StartDnsmasqAsync(IEnumerable<string> arguments, CancellationToken token)
    {
        var dns = ForegroundProcess.Start(
            [
                ClientProcess.Require("dnsmasq"), "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--no-resolv",
                "--no-hosts", "--user=root", "--pid-file=", "--bind-interfaces", "--listen-address=127.0.0.1", "--local=/test/",
                string.Create(CultureInfo.InvariantCulture, $"--port={_dnsPort}"), .. arguments,
            ]);
        await dns.WaitForLineAsync("started", token);
        return dns;
    }

    private async Task BecomesAsync(DaemonUnderTest daemon, string[] workers, CancellationToken token)
    {
        while (!(await WorkersAsync(daemon, token)).SequenceEqual(workers))
            await Task.Delay(100, token);
    }

    /// <summary>Those that may be picked, by name.</summary>
    private async Task<string[]> WorkersAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        var answer = await ClientProcess.CurlAsync(
            token, "--unix-socket", Path.Combine(_directory, "admin.sock"), "http://localhost/api/v1/workers");
        Assert.That(answer.ExitCode, Is.Zero, answer.Error + string.Join('\n', daemon.Lines));
        using var json = System.Text.Json.JsonDocument.Parse(answer.Output);
        return
        [
            .. json.RootElement.GetProperty("workers").EnumerateArray()
                .Where(static one => one.GetProperty("health").GetProperty("administrative").GetString() == "enabled")
                .Select(static one => one.GetProperty("id").GetString()!),
        ];
    }

    private static Task<ProgramResult> RunAsync(DaemonUnderTest daemon, string command, CancellationToken token) => ProgramRun.RunAsync(
        ProgramRun.Daemon, [command, "--config", Path.Combine(daemon.Directory, "torbalancer.conf")], token);

    private static async Task<Socket> OpenAsync(IPEndPoint proxy, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(proxy, token);
        var stream = new NetworkStream(socket, ownsSocket: false);
        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1], Is.Zero);
        return socket;
    }

    private static async Task EchoAsync(Socket socket, CancellationToken token)
    {
        byte[] back = new byte[4];
        await socket.SendAsync("ping"u8.ToArray(), token);
        Assert.That(await socket.ReceiveAsync(back, token), Is.EqualTo(4));
    }
}
