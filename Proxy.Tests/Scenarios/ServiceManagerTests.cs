using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using TorBalancer.Daemon.Systemd;
using TorBalancer.Processes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// What a service manager hears of a reload, a takeover and a stop, and from which process (sd_notify(3), systemd.service(5)): with
/// NotifyAccess=main it listens to none but the one that is the service at that moment.
/// </summary>
[SupportedOSPlatform("linux")]
[CancelAfter(150_000)]
[Category(ProgramRun.Native)]
public sealed partial class ServiceManagerTests
{
    // A sign of life every two seconds.
    private const string Watchdog = "8000000";

    [Test]
    public async Task Sigusr2_starts_a_successor_which_the_old_process_names_and_which_speaks_from_then_on(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory();
        using var manager = new ServiceManagerSocket(directory);
        await using var daemon = await StartAsync(worker, directory, manager, token);
        using var end = new Ending(directory);
        int first = daemon.ProcessId;
        Assert.That((await manager.NextAsync("READY=1", token)).ProcessId, Is.EqualTo(first));

        // Type=notify-reload goes by the time: RELOADING=1 counts only when it is younger than what systemd had asked for.
        long before = Monotonic();
        ProcessSignals.HangUp(first);
        var reloading = await manager.NextAsync("RELOADING=1", token);
        var reloaded = await manager.NextAsync("READY=1", token);
        long said = long.Parse(MonotonicUsec().Match(reloading.Text).Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.That(said, Is.InRange(before, Monotonic()));
        Assert.That((reloading.ProcessId, reloaded.ProcessId), Is.EqualTo((first, first)));
        Assert.That(reloaded.Text, Does.Match("STATUS=ready: 1 of 1 workers may carry connections$"));

        using var tunnel = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await tunnel.ConnectAsync(daemon.Address, token);
        await using var stream = new NetworkStream(tunnel, ownsSocket: false);
        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1], Is.Zero);

        await UpgradeAsync(first, token);
        var named = await manager.NextAsync("MAINPID=", token);
        int next = int.Parse(named.Text["MAINPID=".Length..], CultureInfo.InvariantCulture);
        int at = manager.Heard.ToList().IndexOf(named) + 1;
        Assert.That(named.ProcessId, Is.EqualTo(first));
        Assert.That(next, Is.Not.EqualTo(first));
        Assert.That(
            manager.Heard.Take(at).Select(static one => one.ProcessId), Is.All.EqualTo(first), "nobody else has said anything before");

        // Systemd waits for the end of its own children alone: an orphan is one, a child of the old process is none.
        string parent = ProcessSignals.CommandLine(ParentOf(next));
        Assert.That(ParentOf(next), Is.Not.EqualTo(first));
        Assert.That(parent, Does.Not.Contain("--takeover"), "no shell is between any more");

        // What a shell runs beside itself would ignore SIGINT and SIGQUIT.
        Assert.That(IgnoredBy(next), Is.EqualTo(IgnoredBy(first)));

        Assert.That((await manager.NextAsync("READY=1", token)).ProcessId, Is.EqualTo(next));
        Assert.That((await manager.NextAsync("WATCHDOG=1", token)).ProcessId, Is.EqualTo(next));

        // The old one carries its tunnel, and then leaves without a word.
        await stream.WriteAsync("still here"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(stream, 10, token), Is.EqualTo("still here"u8.ToArray()));
        tunnel.Dispose();
        await GoneAsync(first, token);

        // A second one behind it: it goes on like that.
        await UpgradeAsync(next, token);
        var again = await manager.NextAsync("MAINPID=", token);
        int last = int.Parse(again.Text["MAINPID=".Length..], CultureInfo.InvariantCulture);
        Assert.That(again.ProcessId, Is.EqualTo(next));
        Assert.That((await manager.NextAsync("READY=1", token)).ProcessId, Is.EqualTo(last));
        await GoneAsync(next, token);

        ProcessSignals.Terminate(last);
        Assert.That((await manager.NextAsync("STOPPING=1", token)).ProcessId, Is.EqualTo(last));
        await GoneAsync(last, token);
        await manager.ReadRestAsync(token);
        var rest = manager.Heard.Skip(at).ToList();
        Assert.That(rest.Select(static one => one.ProcessId), Has.None.EqualTo(first));
        Assert.That(rest.Count(static one => one.Text.Contains("STOPPING=1", StringComparison.Ordinal)), Is.EqualTo(1));
        Assert.That(await daemon.Exited.WaitAsync(token), Is.Zero);

        // A busy machine may hold up the event loops for as long as the watchdog waits.
        Assert.That(
            daemon.Lines.Where(static line =>
                line.Contains(" ERROR ", StringComparison.Ordinal) && !line.Contains("did not move within", StringComparison.Ordinal)),
            Is.Empty);
    }

    /// <summary>A new release that cannot start must not look like the end of the service, wherever it fails.</summary>
    [Test]
    public async Task Successor_that_fails_is_not_heard_and_the_old_process_stays_the_service(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory(), file = Path.Combine(directory, "torbalancer.conf");
        using var manager = new ServiceManagerSocket(directory);
        await using var daemon = await StartAsync(worker, directory, manager, token);
        using var end = new Ending(directory);
        await manager.NextAsync("READY=1", token);
        string good = await File.ReadAllTextAsync(file, token);

        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        string[] mistakes =
        [
            // Of which nobody is asked, and which is found when everything else stands.
            "[Tunnel]\nNoSuchKey = 1\n", $"[Listener:late]\nAddress = {taken.LocalEndpoint}\n",
        ];
        for (int i = 0; i < mistakes.Length; i++)
        {
            await File.WriteAllTextAsync(file, good + mistakes[i], token);
            await UpgradeAsync(daemon.ProcessId, token);
            await daemon.WaitForLineAsync(
                static line => line.Contains("The process that was to take over ended with code 1", StringComparison.Ordinal), token,
                after: i);
        }

        // It lives, and may be upgraded.
        await manager.NextAsync("WATCHDOG=1", token);
        await File.WriteAllTextAsync(file, good, token);
        await manager.ReadRestAsync(token);
        Assert.That(manager.Heard.Select(static one => one.ProcessId), Is.All.EqualTo(daemon.ProcessId));
        Assert.That(manager.Heard, Has.None.Matches<(int, string Text)>(
            static one => one.Text.Contains("STOPPING=1", StringComparison.Ordinal)
                || one.Text.Contains("MAINPID", StringComparison.Ordinal)));
        await using (var next = await daemon.SucceedAsync(token))
        {
            var named = await manager.NextAsync("MAINPID=", token);
            string expected = string.Create(CultureInfo.InvariantCulture, $"MAINPID={next.ProcessId}");
            Assert.That(named, Is.EqualTo((daemon.ProcessId, expected)));
            Assert.That((await manager.NextAsync("READY=1", token)).ProcessId, Is.EqualTo(next.ProcessId));
            Assert.That(await daemon.Exited.WaitAsync(token), Is.Zero);
            Assert.That(await next.StopAsync(token), Is.Zero);
        }
    }

    [TestCase("0::/system.slice/torbalancer.service\n", "0::/system.slice/torbalancer.service\n", true)]
    [TestCase("0::/system.slice/torbalancer.service\n", "0::/user.slice/user-0.slice/session-1.scope\n", false)]
    [TestCase(
        "5:memory:/a\n1:name=systemd:/system.slice/torbalancer.service\n0::/system.slice/torbalancer.service\n",
        "5:memory:/b\n1:name=systemd:/system.slice/torbalancer.service\n0::/system.slice/torbalancer.service\n", true)]
    [TestCase("1:name=systemd:/system.slice/torbalancer.service\n0::/\n", "1:name=systemd:/user.slice\n0::/\n", false)]
    public void Process_is_of_the_service_when_it_is_in_its_control_group(string one, string other, bool expected) =>
        Assert.That(ServiceGroup.IsSame(one, other), Is.EqualTo(expected));

    private static Task<DaemonUnderTest> StartAsync(
        FakeTorWorker worker, string directory, ServiceManagerSocket manager, CancellationToken token) => DaemonUnderTest.StartAsync(
        LameDuckTests.Workers(worker) + "[Tunnel]\nDrainTimeout = 1h\n", token, directory, socket: $"unix:{directory}/admin.sock",
        notify: manager.Path, environment: new Dictionary<string, string> { ["WATCHDOG_USEC"] = Watchdog });

    private static async Task UpgradeAsync(int processId, CancellationToken token)
    {
        var sent = await ProgramRun.RunAsync(
            "/bin/sh", ["-c", string.Create(CultureInfo.InvariantCulture, $"kill -USR2 {processId}")], token);
        Assert.That(sent.ExitCode, Is.Zero, sent.Error);
    }

    /// <summary>Waits for the end of a process that need not be our child.</summary>
    private static async Task GoneAsync(int processId, CancellationToken token)
    {
        while (ProcessSignals.StartOf(processId) is not null)
            await Task.Delay(20, token);
    }

    private static int ParentOf(int processId) => int.Parse(StatusOf(processId, "PPid:"), CultureInfo.InvariantCulture);

    /// <summary>A bit for each signal.</summary>
    private static long IgnoredBy(int processId) =>
        long.Parse(StatusOf(processId, "SigIgn:"), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static string StatusOf(int processId, string name) =>
        File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/status"))
            .Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..].Trim();

    /// <summary>CLOCK_MONOTONIC in microseconds.</summary>
    private static long Monotonic() => Stopwatch.GetElapsedTime(0).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>
    /// Ends successors that a test which failed has left: they are nobody's children, and have the first one's output, whose end it waits
    /// for.
    /// </summary>
    private sealed class Ending(string directory) : IDisposable
    {
        public void Dispose()
        {
            foreach (string process in Directory.EnumerateDirectories("/proc"))
            {
                if (int.TryParse(Path.GetFileName(process), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                    && ProcessSignals.CommandLine(id).Contains($"--config {directory}/", StringComparison.Ordinal))
                    ProcessSignals.Kill(id);
            }
        }
    }

    [GeneratedRegex(@"^RELOADING=1\nMONOTONIC_USEC=(\d+)$")]
    private static partial Regex MonotonicUsec();
}
