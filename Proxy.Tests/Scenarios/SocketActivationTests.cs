using System.Globalization;
using System.Net;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Systemd;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Sockets that are there before the daemon, passed as systemd passes them.</summary>
[CancelAfter(60_000)]
[Category(ProgramRun.Native)]
public sealed class SocketActivationTests
{
    [Test]
    public async Task Client_that_connects_first_starts_the_daemon_and_is_served_over_the_passed_socket(CancellationToken token)
    {
        string activate = ClientProcess.Require("systemd-socket-activate");
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Answer("served")).Behind(worker);
        int port = FreePort.Find();
        var starting = DaemonUnderTest.StartAsync(
            LameDuckTests.Workers(worker), token,
            under: [activate, "--listen", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), "--fdname=main"]);
        var client = await ClientProcess.CurlAsync(
            token, "--retry", "40", "--retry-connrefused", "--retry-delay", "1", "--max-time", "40",
            "--proxy", $"socks5h://127.0.0.1:{port}", "http://a.example/");
        await using var daemon = await starting;

        Assert.That((client.ExitCode, client.Output), Is.EqualTo((0, "served")), client.Error);
        Assert.That(daemon.Address, Is.EqualTo(new IPEndPoint(IPAddress.Loopback, port)));

        // Close on exec: no program that the daemon starts holds the port when it is gone.
        string flags = File.ReadLines($"/proc/{daemon.ProcessId}/fdinfo/3")
            .Single(static line => line.StartsWith("flags:", StringComparison.Ordinal));
        Assert.That(Convert.ToInt32(flags.Split('\t')[1], 8) & Convert.ToInt32("2000000", 8), Is.Not.Zero, flags);
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    /// <summary>
    /// The first takeover by SIGUSR2, so that the new process is a child of the one that was activated; the second by hand.
    /// </summary>
    [Test]
    public async Task Passed_socket_goes_through_takeovers_and_is_never_bound_again(CancellationToken token)
    {
        string activate = ClientProcess.Require("systemd-socket-activate"), directory = DaemonUnderTest.MakeDirectory();
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Answer("served")).Behind(worker);
        int port = FreePort.Find();
        var starting = DaemonUnderTest.StartAsync(
            LameDuckTests.Workers(worker), token, directory, socket: $"unix:{directory}/admin.sock",
            under: [activate, "--listen", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), "--fdname=main"]);
        await AssertServedAsync();
        await using var first = await starting;
        string socket = ListeningOn(port);
        Assert.That(DescriptorsOf(first.ProcessId, socket), Is.EqualTo(new[] { true }), "one, closed on exec");

        var sent = await ProgramRun.RunAsync(
            "/bin/sh", ["-c", string.Create(CultureInfo.InvariantCulture, $"kill -USR2 {first.ProcessId}")], token);
        Assert.That(sent.ExitCode, Is.Zero, sent.Error);
        string line = await first.WaitForLineAsync(static line => line.Contains(" has taken over, ", StringComparison.Ordinal), token);
        int second = int.Parse(line.Split("Process ")[1].Split(' ')[0], CultureInfo.InvariantCulture);
        await first.WaitForLineAsync(static line => line.Contains("Took over from process ", StringComparison.Ordinal), token);
        while (ProcessStates.IsRunning(first.ProcessId))
            await Task.Delay(10, token);
        await AssertServedAsync();
        Assert.That((ListeningOn(port), DescriptorsOf(second, socket)), Is.EqualTo((socket, new[] { true })));

        await using (var third = await DaemonUnderTest.StartFileAsync(
            Path.Combine(directory, "torbalancer.conf"), directory, [], token, "--takeover"))
        {
            while (ProcessStates.IsRunning(second))
                await Task.Delay(10, token);
            await AssertServedAsync();
            Assert.That((ListeningOn(port), DescriptorsOf(third.ProcessId, socket)), Is.EqualTo((socket, new[] { true })));
            Assert.That(await third.StopAsync(token), Is.Zero);
        }

        Assert.That(ListeningOn(port), Is.Empty, "nobody holds it any more");
        Assert.That(await first.Exited.WaitAsync(token), Is.Zero, string.Join('\n', first.Lines));

        async Task AssertServedAsync()
        {
            var client = await ClientProcess.CurlAsync(
                token, "--retry", "40", "--retry-connrefused", "--retry-delay", "1", "--max-time", "40",
                "--proxy", $"socks5h://127.0.0.1:{port}", "http://a.example/");
            Assert.That((client.ExitCode, client.Output), Is.EqualTo((0, "served")), client.Error);
        }
    }

    /// <summary>One port of the range is not passed; the daemon opens it.</summary>
    [Test]
    public async Task Sockets_of_a_range_are_its_ports_and_the_rest_is_opened(CancellationToken token)
    {
        string activate = ClientProcess.Require("systemd-socket-activate");
        var address = FreePort.OwnAddress();
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Answer("served")).Behind(worker);
        var starting = DaemonUnderTest.StartAsync(
            LameDuckTests.Workers(worker) + $"[Listener:ports]\nAddress = {address}:20000-20002\nSession = port\n", token,
            under:
            [
                activate, "--listen", $"{address}:20002", "--listen", $"{address}:20000", "--fdname=ports:ports",
            ]);
        string[] ports = ["20000", "20001", "20002"];
        foreach (string port in ports)
        {
            var client = await ClientProcess.CurlAsync(
                token, "--retry", "40", "--retry-connrefused", "--retry-delay", "1", "--max-time", "40",
                "--proxy", $"socks5h://{address}:{port}", "http://a.example/");
            Assert.That((client.ExitCode, client.Output), Is.EqualTo((0, "served")), client.Error);
        }

        await using var daemon = await starting;
        Assert.That(worker.Requests.Select(static request => request.Password).Distinct().Count(), Is.EqualTo(3));
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    /// <summary>The socket that listens there, as /proc names it (proc(5), net/tcp: address, state 0A, inode); empty: none does.</summary>
    private static string ListeningOn(int port)
    {
        string address = string.Create(CultureInfo.InvariantCulture, $"0100007F:{port:X4}");
        return File.ReadLines("/proc/net/tcp").Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields[1] == address && fields[3] == "0A").Select(static fields => $"socket:[{fields[9]}]")
            .SingleOrDefault("");
    }

    /// <summary>A process's descriptors of a socket: whether each is closed on exec.</summary>
    private static bool[] DescriptorsOf(int process, string socket) =>
    [
        .. Directory.EnumerateFiles($"/proc/{process}/fd").Where(path => new FileInfo(path).LinkTarget == socket)
            .Select(path => File.ReadLines($"/proc/{process}/fdinfo/{Path.GetFileName(path)}")
                .Single(static line => line.StartsWith("flags:", StringComparison.Ordinal)))
            .Select(static flags => (Convert.ToInt32(flags.Split('\t')[1], 8) & Convert.ToInt32("2000000", 8)) != 0),
    ];

    [TestCase("--fdname=other", "127.0.0.1:0", "passed a socket named \"other\", and there is no [Listener:other]")]
    [TestCase("--fdname=main", "127.0.0.2:1080", "[Listener:main] Address is 127.0.0.2:1080, and the socket")]
    [TestCase("--datagram", "127.0.0.1:0", "of the wrong type (InterNetwork, Dgram)")]
    public async Task Socket_that_fits_no_listener_is_refused_in_words(string option, string address, string said, CancellationToken token)
    {
        string activate = ClientProcess.Require("systemd-socket-activate"), directory = Directory.CreateTempSubdirectory("tbs").FullName;
        int port = FreePort.Find();
        try
        {
            var running = ProgramRun.RunAsync(
                activate,
                [
                    "--listen", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), option, ProgramRun.Daemon, "run",
                    $"--Listener:main:Address={address}", "--Admin:Address=none", "--Admin:Socket=none", "--Worker:w1:Address=127.0.0.1",
                    $"--ManagedWorkers:DataDirectory={directory}",
                ], token);
            while (!running.IsCompleted)
            {
                await ClientProcess.RunAsync(
                    "bash", ["-c", $"echo x > /dev/{(option == "--datagram" ? "udp" : "tcp")}/127.0.0.1/{port}"], token);
                await Task.WhenAny(running, Task.Delay(100, token));
            }

            var run = await running;
            Assert.That((run.ExitCode, run.Error), Is.EqualTo((1, run.Error)));
            Assert.That(run.Error, Does.Contain(said));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public void What_is_for_another_process_is_not_touched_and_no_program_hears_of_it()
    {
        var forgotten = new List<string>();

        var sockets = SocketActivation.Take(
            static name => name switch { "LISTEN_PID" => "1", "LISTEN_FDS" => "1", _ => null }, processId: 2, forgotten.Add);

        Assert.That(sockets.Names, Is.Empty);
        Assert.That(forgotten, Is.EquivalentTo(["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]));
    }

    [Test]
    public void Descriptor_count_that_is_none_is_refused() => Assert.Throws<StartupException>(() => SocketActivation.Take(
        static name => name == "LISTEN_PID" ? "2" : "-1", processId: 2, static _ => { }));
}
