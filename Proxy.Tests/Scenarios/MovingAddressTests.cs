using System.Diagnostics;
using System.Globalization;
using System.Net.NetworkInformation;
using System.Runtime.Versioning;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// contrib/keepalived/keepalived.conf for real: two machines, which are network namespaces on one wire, each with a daemon and a
/// keepalived, and a client on the same wire.
/// </summary>
[SupportedOSPlatform("linux")]
[CancelAfter(120_000)]
public sealed class MovingAddressTests
{
    private const string Address = "192.0.2.10";

    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("tbka").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Address_moves_to_the_other_gateway_before_the_port_closes_and_comes_back(CancellationToken token)
    {
        await using var lab = await WireLab.StartAsync("tbka", token, "keepalived", "curl");
        await using var worker = new FakeTorWorker(Path.Combine(_directory, "worker.sock"));
        new HttpScript().On("a.example/", HttpScript.Answer("served")).Behind(worker);
        var (first, second, client) = (
            await lab.PlugInAsync("gw1", "192.0.2.11", token), await lab.PlugInAsync("gw2", "192.0.2.12", token),
            await lab.PlugInAsync("client", "192.0.2.20", token));

        await using var other = await StartDaemonAsync(second, worker, token);
        await using var otherKeeper = await StartKeeperAsync(second, "gw2", 90, other, token);
        DaemonUnderTest own;
        await using (own = await StartDaemonAsync(first, worker, token))
        {
            await using var keeper = await StartKeeperAsync(first, "gw1", 100, own, token);
            await HasAddressAsync(first, token);
            await HasNoAddressAsync(second, token);
            Assert.That(await AskAsync(client, token), Is.EqualTo("served"));

            // It is announced, and the port is open until the address has gone.
            var clock = Stopwatch.StartNew();
            own.Terminate();
            await HasAddressAsync(second, token);
            Tell(clock, "SIGTERM");
            Assert.That(own.Lines, Has.None.Contains("the listeners close"));
            await HasNoAddressAsync(first, token);
            Assert.That(await AskAsync(client, token), Is.EqualTo("served"), "by the other one");
            own.Terminate();
            Assert.That(await own.Exited.WaitAsync(token), Is.Zero);
        }

        // Back with the one that has precedence, and away from one that is killed.
        await using var again = await StartDaemonAsync(first, worker, token);
        await using var againKeeper = await StartKeeperAsync(first, "gw1", 100, again, token);
        await HasAddressAsync(first, token);
        await HasNoAddressAsync(second, token);
        Assert.That(await AskAsync(client, token), Is.EqualTo("served"));
        var killed = Stopwatch.StartNew();
        again.Kill();
        await HasAddressAsync(second, token);
        Tell(killed, "SIGKILL");
        Assert.That(await AskAsync(client, token), Is.EqualTo("served"));
        other.Terminate();
        other.Terminate();
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

    private static void Tell(Stopwatch clock, string signal) => TestContext.Out.WriteLine(
        string.Create(CultureInfo.InvariantCulture, $"moved {clock.Elapsed.TotalSeconds:0.0} s after {signal}"));

    private static Task<DaemonUnderTest> StartDaemonAsync(NetworkNamespace machine, FakeTorWorker worker, CancellationToken token)
    {
        string directory = DaemonUnderTest.MakeDirectory();
        return DaemonUnderTest.StartAsync(
            $"[Health]\nEnabled = no\n[Worker:w1]\nAddress = unix:{worker.EndPoint}\n[Tunnel]\nLameDuck = 1m\n", token, directory,
            machine.Under, socket: $"unix:{directory}/admin.sock",
            environment: new Dictionary<string, string>
            {
                ["TORBALANCER_Listener__main__Address"] = "0.0.0.0:1080",
                ["TORBALANCER_Listener__main__AllowFrom"] = "192.0.2.0/24",
            });
    }

    /// <summary>The shipped file, for this machine: its check asks by the daemon's socket.</summary>
    private async Task<ForegroundProcess> StartKeeperAsync(
        NetworkNamespace machine, string router, int priority, DaemonUnderTest daemon, CancellationToken token)
    {
        string text = Repository.Text("contrib/keepalived/keepalived.conf"), file = Path.Combine(_directory, $"{router}.conf");
        string[] dotnet =
        [
            .. (await File.ReadAllTextAsync($"/proc/{daemon.ProcessId}/environ", token)).Split('\0')
                .Where(static one => one.StartsWith("DOTNET_ROOT=", StringComparison.Ordinal)),
        ];
        string check = Path.Combine(daemon.Directory, "check");
        await File.WriteAllTextAsync(
            check,
            $"#!/bin/sh\n{string.Join(' ', dotnet)} exec {ProgramRun.Daemon} healthcheck --admin unix:{daemon.Directory}/admin.sock\n",
            token);
        File.SetUnixFileMode(check, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var (old, next) in ((string, string)[])[
            ("router_id gw1", $"router_id {router}"), ("priority 100", $"priority {priority}"),
            ("/usr/bin/torbalancer healthcheck --admin unix:/run/torbalancer/admin.sock", check),
            ("script_user torbalancer", "script_user root")])
        {
            Assert.That(text, Does.Contain(old));
            text = text.Replace(old, next, StringComparison.Ordinal);
        }

        // Its directory is in /tmp, which everybody may write to.
        await File.WriteAllTextAsync(file, text.Replace("enable_script_security", "", StringComparison.Ordinal), token);
        string pids = Path.Combine(daemon.Directory, "keepalived");
        return ForegroundProcess.Start(
            [
                .. machine.Under, ClientProcess.Require("keepalived"), "--dont-fork", "--log-console", "--vrrp", "--use-file", file,
                "--pid", pids + ".pid", "--vrrp_pid", pids + ".vrrp",
            ]);
    }

    private static async Task HasAddressAsync(NetworkNamespace machine, CancellationToken token)
    {
        while (!(await machine.RunAsync(token, "ip", "-brief", "addr")).Contains($" {Address}/", StringComparison.Ordinal))
            await Task.Delay(100, token);
    }

    private static async Task HasNoAddressAsync(NetworkNamespace machine, CancellationToken token)
    {
        while ((await machine.RunAsync(token, "ip", "-brief", "addr")).Contains($" {Address}/", StringComparison.Ordinal))
            await Task.Delay(100, token);
    }

    /// <summary>What a client on the wire gets through the address.</summary>
    private static async Task<string> AskAsync(NetworkNamespace client, CancellationToken token) => await client.RunAsync(
        token, "curl", "--silent", "--show-error", "--max-time", "10", "--proxy", $"socks5h://{Address}:1080", "http://a.example/");
}
