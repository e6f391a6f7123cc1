using System.Diagnostics;
using System.Net.Sockets;
using TorBalancer.Processes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>The real executable whose output is a pipe that nobody reads: it works, and it ends when it is told to, with 0.</summary>
[Category(ProgramRun.Native)]
public sealed class UnreadOutputTests
{
    // What a pipe holds by default (pipe(7)).
    private const int PipeBytes = 65_536;

    private string _directory = "";

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("tbo").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [TestCase("full")]
    [TestCase("closed")]
    [TestCase("/dev/full")]
    [CancelAfter(15_000)]
    public async Task Stop_ends_with_0(string output, CancellationToken token)
    {
        string socket = Path.Combine(_directory, "listener"), conf = Path.Combine(_directory, "torbalancer.conf");
        await File.WriteAllTextAsync(
            conf,
            $"[Listener:main]\nAddress = unix:{socket}\n[Admin]\nAddress = none\nSocket = none\n[Health]\nEnabled = "
                + $"no\n[Worker:w1]\nSocksPort = 9\n[Log]\nFile = {_directory}/log\n",
            token);
        await using var pipe = output.StartsWith('/') ? null : await PipeAsync(output == "full", token);
        string sink = pipe?.Name ?? output;
        using var daemon = Process.Start(
            new ProcessStartInfo(
                "/bin/sh",
                ["-c", "exec \"$@\" >\"$0\" 2>&1", sink, ProgramRun.Daemon, "run", "--config", conf])
            { RedirectStandardInput = true })!;
        try
        {
            await ConnectAsync(socket, token);
            if (output == "closed")
                await pipe!.DisposeAsync();
            ProcessSignals.Terminate(daemon.Id);
            await daemon.WaitForExitAsync(token);
            Assert.That(daemon.ExitCode, Is.Zero);
            Assert.That(
                await File.ReadAllTextAsync(Path.Combine(_directory, "log"), token), Does.EndWith("ended by themselves: True)\n"),
                "the other log has it all");
        }
        finally
        {
            if (!daemon.HasExited)
                daemon.Kill();
        }
    }

    /// <summary>The level is another one, too: what goes by it must not wait for what is written.</summary>
    [Test, CancelAfter(30_000)]
    public async Task Reload_is_answered_and_clients_are_served(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string socket = Path.Combine(_directory, "listener"), admin = Path.Combine(_directory, "admin");
        string conf = Path.Combine(_directory, "torbalancer.conf");
        string configuration = $"[Listener:main]\nAddress = unix:{socket}\n[Admin]\nAddress = none\nSocket = unix:{admin}\n"
            + LameDuckTests.Workers(worker);
        await File.WriteAllTextAsync(conf, configuration, token);
        await using var pipe = await PipeAsync(isFull: true, token);
        using var daemon = Process.Start(
            new ProcessStartInfo("/bin/sh", ["-c", "exec \"$@\" >\"$0\" 2>&1", pipe.Name, ProgramRun.Daemon, "run", "--config", conf])
            { RedirectStandardInput = true })!;
        try
        {
            await ConnectAsync(admin, token);
            foreach (string level in (string[])["info", "debug", "error"])
            {
                await File.WriteAllTextAsync(conf, $"{configuration}[Log]\nLevel = {level}\n", token);
                Assert.That(await CallAsync("reload"), Is.EqualTo("200"));
                using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await client.ConnectAsync(new UnixDomainSocketEndPoint(socket), token);
                await using var stream = new NetworkStream(client, ownsSocket: false);
                Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1], Is.Zero);
                Assert.That((await CallAsync("workers/w1/drain"), await CallAsync("workers/w1/enable")), Is.EqualTo(("200", "200")));
            }

            ProcessSignals.Terminate(daemon.Id);
            await daemon.WaitForExitAsync(token);
            Assert.That(daemon.ExitCode, Is.Zero);
        }
        finally
        {
            if (!daemon.HasExited)
                daemon.Kill();
        }

        async Task<string> CallAsync(string path) => (await ClientProcess.CurlAsync(
            token, "--unix-socket", admin, "--request", "POST", "--output", "/dev/null", "--write-out", "%{http_code}",
            $"http://localhost/api/v1/{path}")).Output;
    }

    [Test, CancelAfter(15_000)]
    public async Task Start_that_fails_ends_all_the_same(CancellationToken token)
    {
        await using var pipe = await PipeAsync(true, token);
        using var daemon = Process.Start(
            new ProcessStartInfo(
                "/bin/sh",
                ["-c", "exec \"$@\" >\"$0\" 2>&1", pipe.Name, ProgramRun.Daemon, "run", "--config", "/nonexistent/torbalancer.conf"]))!;
        try
        {
            await daemon.WaitForExitAsync(token);
            Assert.That(daemon.ExitCode, Is.EqualTo(1));
        }
        finally
        {
            if (!daemon.HasExited)
                daemon.Kill();
        }
    }

    [Test, CancelAfter(20_000)]
    public async Task Stop_does_not_wait_for_an_admin_client_that_never_ends(CancellationToken token)
    {
        string directory = DaemonUnderTest.MakeDirectory(), path = Path.Combine(directory, "admin");
        await using var daemon = await DaemonUnderTest.StartAsync(
            "[Health]\nEnabled = no\n[Worker:w1]\nSocksPort = 9\n", token, directory, socket: "unix:" + path);
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(path), token);
        await client.SendAsync(
            "POST /api/v1/fetch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"u8.ToArray(), token);

        Assert.That(await daemon.StopAsync(token), Is.Zero);
        Assert.That(daemon.Lines, Has.None.Contains(" ERROR "));
    }

    [Test, CancelAfter(20_000)]
    public async Task Service_manager_that_does_not_read_holds_up_neither_start_nor_stop(CancellationToken token)
    {
        string path = Path.Combine(_directory, "notify");
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(path));
        using var others = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
        others.Connect(new UnixDomainSocketEndPoint(path));
        Assert.That(() =>
        {
            while (true)
                others.Send("full"u8);
        }, Throws.InstanceOf<SocketException>());

        await using var daemon = await DaemonUnderTest.StartAsync(
            "[Health]\nEnabled = no\n[Worker:w1]\nSocksPort = 9\n", token, notify: path);
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    /// <summary>A pipe with a name, held open at both ends so that neither side waits for the other.</summary>
    private async Task<FileStream> PipeAsync(bool isFull, CancellationToken token)
    {
        string path = Path.Combine(_directory, "pipe");
        var made = await ProgramRun.RunAsync(ClientProcess.Require("mkfifo"), [path], token);
        Assert.That(made.ExitCode, Is.Zero, made.Error);
        var pipe = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        if (isFull)
            await pipe.WriteAsync(new byte[PipeBytes], token);
        return pipe;
    }

    private static async Task ConnectAsync(string path, CancellationToken token)
    {
        while (true)
        {
            using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await client.ConnectAsync(new UnixDomainSocketEndPoint(path), token);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(20, token);
            }
        }
    }
}
