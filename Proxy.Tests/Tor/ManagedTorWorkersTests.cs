using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Tor;
using TorBalancer.Processes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Tor;

/// <summary>With a real tor that must not use the network, and, where a bootstrap is needed, with a scripted control port.</summary>
public sealed class ManagedTorWorkersTests
{
    private static readonly string[] NoNetwork = ["DisableNetwork 1"];

    private RecordingWorkerSink _sink = new();
    private string _directory = "";

    [SetUp]
    public void SetUp()
    {
        _directory = Directory.CreateTempSubdirectory("tbm").FullName;
        _sink = new RecordingWorkerSink();
    }

    [TearDown]
    public void TearDown() => Directory.Delete(_directory, recursive: true);

    [Test, CancelAfter(60_000)]
    public async Task Workers_run_owned_and_stop_with_nothing_left(CancellationToken token)
    {
        await using var workers = Create(2, NoNetwork);
        workers.Start();
        Assert.That(
            new[] { (await _sink.NextAsync(token)).Id, (await _sink.NextAsync(token)).Id }, Is.EquivalentTo(new[] { "tor-1", "tor-2" }));
        int[] pids = [await PidAsync("tor-1", token), await PidAsync("tor-2", token)];

        await using (var control = await ControlAsync("tor-1", token))
        {
            // Taken over: the polling for our pid has been turned off again, which is the last step before the bootstrap.
            while ((await control.GetConfAsync(["__OwningControllerProcess"], token))[0].Value is not null)
                await Task.Delay(20, token);
            string[] keys = ["SafeLogging", "ClientOnly", "AvoidDiskWrites", "DormantTimeoutEnabled", "ConfluxEnabled", "DisableNetwork"];
            Assert.That(
                (await control.GetConfAsync(keys, token)).Select(static pair => $"{pair.Key}={pair.Value}"),
                Is.EqualTo(
                    [
                        "SafeLogging=1", "ClientOnly=1", "AvoidDiskWrites=1", "DormantTimeoutEnabled=0", "ConfluxEnabled=0",
                        "DisableNetwork=1",
                    ]));
            Assert.That(
                (await control.GetConfAsync(["SocksPort"], token))[0].Value,
                Is.EqualTo($"unix:\"{Paths.SocksSocket("tor-1")}\" ExtendedErrors KeepAliveIsolateSOCKSAuth"));
        }

        if (!OperatingSystem.IsWindows())
            Assert.That(
                File.GetUnixFileMode(Paths.DataDirectory("tor-1")),
                Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));

        await workers.StopAsync();

        Assert.That(_sink.TakeAll().Select(static call => call.Kind), Has.None.EqualTo("down"), "a stop is no change of health");
        Assert.That(pids.Where(IsAlive), Is.Empty);
        Assert.That(Directory.Exists(Paths.DataDirectory("tor-1")), "data directories hold the guards and stay");
    }

    [Test, CancelAfter(60_000)]
    public async Task A_worker_that_is_killed_is_told_as_down_and_starts_again(CancellationToken token)
    {
        await using var workers = Create(1, NoNetwork);
        workers.Start();
        await NextAsync("starting", token);
        int pid = await PidAsync("tor-1", token);
        using (var process = Process.GetProcessById(pid))
            process.Kill();

        Assert.That((await NextAsync("down", token)).Text, Does.Contain("137"));
        await NextAsync("starting", token);
        Assert.That(await PidAsync("tor-1", token), Is.Not.EqualTo(pid));
    }

    [Test, CancelAfter(60_000)]
    public async Task A_wrong_line_is_told_with_tors_own_words(CancellationToken token)
    {
        await using var workers = Create(1, ["NoSuchOption 1", .. NoNetwork]);
        workers.Start();
        await NextAsync("starting", token);
        Assert.That((await NextAsync("down", token)).Text, Does.Contain("tor ended with code 1").And.Contain("config"));
    }

    [Test, CancelAfter(60_000)]
    public async Task A_root_that_is_in_use_is_refused(CancellationToken token)
    {
        await using var first = Create(1, NoNetwork);
        first.Start();
        await NextAsync("starting", token);
        await using var second = Create(1, NoNetwork);

        Assert.That(second.Start, Throws.InstanceOf<ManagedWorkersException>().With.Message.Contains("in use by another torbalancer"));

        await first.StopAsync();
        await using var third = Create(1, NoNetwork);
        Assert.That(third.Start, Throws.Nothing);
    }

    [Test, CancelAfter(60_000)]
    public async Task A_data_directory_that_a_tor_holds_is_seen(CancellationToken token)
    {
        await using (var tor = await RealTor.StartAsync(token))
            Assert.That(ManagedWorkerFiles.IsHeld(Path.Combine(tor.Directory, "data")));
        Assert.That(ManagedWorkerFiles.IsHeld(Path.Combine(_directory, "none")), Is.False);
    }

    [Test, CancelAfter(60_000)]
    public async Task A_path_too_long_for_sockets_uses_ports_of_loopback(CancellationToken token)
    {
        string deep = Path.Combine(_directory, new string('d', 100));
        var paths = ManagedWorkerPaths.Resolve(deep, 1, _ => null);
        Assert.That(paths.Sockets, Is.Null);
        await using var workers = Create(paths, 1, NoNetwork);
        workers.Start();
        await NextAsync("starting", token);

        while (!File.Exists(paths.ControlPortFile("tor-1")) || !File.Exists(paths.CookiePath("tor-1")))
            await Task.Delay(20, token);
        var endPoint = IPEndPoint.Parse(File.ReadAllText(paths.ControlPortFile("tor-1")).Trim()["PORT=".Length..]);
        await using var control = await ControlConnection.ConnectAsync(
            endPoint, ControlCredentials.None, ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, token);
        Assert.That(endPoint.Address, Is.EqualTo(IPAddress.Loopback));
        while ((await control.GetConfAsync(["__OwningControllerProcess"], token))[0].Value is not null)
            await Task.Delay(20, token);
    }

    [Test, CancelAfter(60_000)]
    public async Task Bootstrap_is_followed_by_events_to_ready_and_down(CancellationToken token)
    {
        // A process that only lives stands for tor; the test speaks for its control socket.
        await using var workers = Create(1, [], SleepingTor());
        workers.Start();
        await NextAsync("starting", token);
        int progress = 10;
        await using var fake = new FakeControlPort(new UnixDomainSocketEndPoint(Paths.ControlSocket("tor-1")!));
        fake.Script = command => command switch
        {
            "GETINFO status/bootstrap-phase" =>
                $"250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS={progress} TAG=conn SUMMARY=\"Connecting\"\r\n250 OK\r\n",
            _ => FakeControlPort.DefaultScript(command),
        };

        Assert.That((await NextAsync("starting", token)).Status, Is.EqualTo(new BootstrapStatus(10, "conn", "Connecting")));
        await fake.PushAsync(
            "650 STATUS_CLIENT WARN BOOTSTRAP PROGRESS=50 TAG=loading SUMMARY=\"Loading\" WARNING=\"No route\" REASON=NOROUTE\r\n650 "
                + "STATUS_CLIENT NOTICE ENOUGH_DIR_INFO\r\n");
        Assert.That(
            (await NextAsync("starting", token)).Status,
            Is.EqualTo(new BootstrapStatus(50, "loading", "Loading") { Warning = "No route", Reason = "NOROUTE" }));
        await fake.PushAsync("650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n");
        var ready = await NextAsync("ready", token);
        Assert.That((ready.Socks!.ToString(), ready.Control!.ToString(), ready.Text),
            Is.EqualTo((Paths.SocksSocket("tor-1"), Paths.ControlSocket("tor-1"), Paths.CookiePath("tor-1"))));
        Assert.That(
            fake.Commands.Where(command => command is "TAKEOWNERSHIP" or "RESETCONF __OwningControllerProcess"),
            Is.EqualTo(new[] { "TAKEOWNERSHIP", "RESETCONF __OwningControllerProcess" }));

        fake.CloseConnections();
        Assert.That((await NextAsync("down", token)).Text, Does.Contain("control connection ended"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Stop_while_starting_ends_the_process(CancellationToken token)
    {
        await using var workers = Create(1, [], SleepingTor());
        workers.Start();
        await NextAsync("starting", token);
        string pidFile = Path.Combine(_directory, "pid");
        while (!File.Exists(pidFile) || new FileInfo(pidFile).Length == 0)
            await Task.Delay(20, token);
        int pid = int.Parse(File.ReadAllText(pidFile), CultureInfo.InvariantCulture);
        Assert.That(IsAlive(pid));

        await workers.StopAsync();

        Assert.That(IsAlive(pid), Is.False);
        Assert.That(_sink.TakeAll().Select(static call => call.Kind), Has.None.EqualTo("down"), "a stop is no change of health");
    }

    [Test, CancelAfter(60_000)]
    public async Task A_tor_that_was_not_offered_ends_when_the_others_are_left(CancellationToken token)
    {
        await using var workers = Create(2, NoNetwork);
        workers.Start();
        var offered = (await ConnectedAsync()).ToDictionary(static one => one.Id, static one => one.Now.Process);
        ProcessSignals.Kill(offered["tor-1"].ProcessId);
        await offered["tor-1"].Exited.WaitAsync(token);
        while ((await ConnectedAsync()).Any(one => one.Id == "tor-1" && one.Now.Process == offered["tor-1"]))
            await Task.Delay(20, token);
        int again = await PidAsync("tor-1", token);

        await workers.LeaveAsync(workers.Ids, offered, Environment.ProcessId);

        try
        {
            Assert.That(IsAlive(again), Is.False, "the other process has never heard of it");
            Assert.That(offered["tor-2"].Exited.IsCompleted, Is.False);
        }
        finally
        {
            ProcessSignals.Kill(offered["tor-2"].ProcessId);
            await offered["tor-2"].Exited.WaitAsync(token);
        }

        async Task<IReadOnlyList<(string Id, RunningNow Now)>> ConnectedAsync()
        {
            while (true)
            {
                var now = workers.Running;
                if (now.Count == 2 && now.All(static one => one.Now.Control is not null))
                    return now;
                await Task.Delay(20, token);
            }
        }
    }

    [Test]
    public void A_missing_extra_torrc_is_refused_by_name()
    {
        var workers = new ManagedTorWorkers(
            new ManagedWorkersOptions { Count = 1, ExtraTorrc = "/nowhere/extra" }, "/bin/true", Paths, _sink, NullLogger.Instance,
            TimeProvider.System);
        Assert.That(workers.Start, Throws.InstanceOf<ManagedWorkersException>().With.Message.Contains("/nowhere/extra"));
    }

    [Test]
    public void CopyCaches_gives_documents_to_a_fresh_directory_and_never_the_guards()
    {
        string from = Directory.CreateDirectory(Path.Combine(_directory, "from")).FullName;
        string to = Directory.CreateDirectory(Path.Combine(_directory, "to")).FullName;
        foreach (string name in (string[])["cached-certs", "cached-microdesc-consensus", "cached-microdescs", "state", "lock", "keys"])
            File.WriteAllText(Path.Combine(from, name), name);

        Assert.That(ManagedWorkerFiles.CopyCaches(from, to));
        Assert.That(
            Directory.GetFiles(to).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "cached-certs", "cached-microdesc-consensus", "cached-microdescs" }));
        Assert.That(ManagedWorkerFiles.CopyCaches(from, to), Is.False, "a directory that was used keeps what it has");
        Assert.That(ManagedWorkerFiles.CopyCaches(from, from), Is.False);
    }

    [TestCase(0, 1)]
    [TestCase(1, 2)]
    [TestCase(5, 32)]
    [TestCase(6, 60)]
    [TestCase(7, 60)]
    [TestCase(1000, 60)]
    public void Backoff_doubles_up_to_a_minute(int failures, int seconds)
        => Assert.That(ManagedTorWorker.Backoff(failures), Is.EqualTo(TimeSpan.FromSeconds(seconds)));

    private ManagedWorkerPaths Paths => new(Path.Combine(_directory, "state"), Path.Combine(_directory, "run"));

    private ManagedTorWorkers Create(int count, IReadOnlyList<string> lines, string? executable = null)
        => Create(Paths, count, lines, executable);

    private ManagedTorWorkers Create(ManagedWorkerPaths paths, int count, IReadOnlyList<string> lines, string? executable = null)
    {
        string extra = Path.Combine(_directory, "extra");
        File.WriteAllLines(extra, lines);
        var options = new ManagedWorkersOptions { Count = count, ExtraTorrc = extra };
        return new ManagedTorWorkers(options, executable ?? RealTor.Executable, paths, _sink, NullLogger.Instance, TimeProvider.System);
    }

    private string SleepingTor()
    {
        string path = Path.Combine(_directory, "tor.sh");
        File.WriteAllText(path, $"#!/bin/sh\n[ \"$1\" = --version ] && exit\necho $$ > {_directory}/pid\nexec sleep 50\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private async Task<WorkerCall> NextAsync(string kind, CancellationToken token)
    {
        var call = await _sink.NextAsync(token);
        Assert.That(call.Kind, Is.EqualTo(kind), call.ToString());
        return call;
    }

    private async Task<int> PidAsync(string id, CancellationToken token)
    {
        await using var control = await ControlAsync(id, token);
        return int.Parse(await control.GetInfoAsync("process/pid", token), CultureInfo.InvariantCulture);
    }

    private async Task<ControlConnection> ControlAsync(string id, CancellationToken token)
    {
        var endPoint = new UnixDomainSocketEndPoint(Paths.ControlSocket(id)!);
        while (!await RealTor.AcceptsAsync(endPoint, token))
            await Task.Delay(20, token);
        return await ControlConnection.ConnectAsync(
            endPoint, new ControlCredentials(Paths.CookiePath(id)), ControlConnectionOptions.Default, NullLogger.Instance,
            TimeProvider.System, token);
    }

    private static bool IsAlive(int pid) => Directory.Exists($"/proc/{pid}");
}
