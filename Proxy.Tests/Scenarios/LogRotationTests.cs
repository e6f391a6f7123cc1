using System.Net.Sockets;
using System.Text;
using TorBalancer.Processes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>The log file of the real executable: with the real logrotate, on a full disk, without its folder.</summary>
[Category(ProgramRun.Native)]
public sealed class LogRotationTests
{
    private const int Rotations = 6;

    private string _directory = "";

    private string LogPath => Path.Combine(_directory, "logs", "t.log");

    // Its own folder: DaemonUnderTest removes it.
    [SetUp]
    public void MakeDirectory() => _directory = DaemonUnderTest.MakeDirectory();

    [TestCase("create")]
    [TestCase("nocreate")]
    [TestCase("copytruncate")]
    [CancelAfter(120_000)]
    public async Task Every_line_is_in_one_of_the_files_once(string method, CancellationToken token)
    {
        string rotate = ClientProcess.Require("logrotate");
        await using var daemon = await StartAsync(token);
        string rules = Path.Combine(_directory, "logrotate.conf");
        await File.WriteAllTextAsync(rules, $"{LogPath} {{\n\trotate 50\n\t{method}\n}}\n", token);

        using var enough = new CancellationTokenSource();
        Task load = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => RequestsAsync(daemon, enough.Token, token)));
        for (int i = 0; i < Rotations; i++)
        {
            await MoreAsync(daemon, token);
            await MadeAsync(LogPath, token);

            // What is written between logrotate's copy and its truncation is lost by logrotate (its manual says so): so nothing is.
            if (method == "copytruncate")
            {
                ProcessSignals.Pause(daemon.ProcessId);
                await ProcessStates.StoppedAsync(daemon.ProcessId, token);
            }

            var result = await ProgramRun.RunAsync(rotate, ["--force", "--state", Path.Combine(_directory, "state"), rules], token);
            ProcessSignals.Resume(daemon.ProcessId);
            Assert.That(result.ExitCode, Is.Zero, result.Error);
        }

        await MoreAsync(daemon, token);
        await enough.CancelAsync();
        await load;
        Assert.That(await daemon.StopAsync(token), Is.Zero);

        string[] files = Directory.GetFiles(Path.GetDirectoryName(LogPath)!);
        Assert.That(files, Has.Length.EqualTo(Rotations + 1), string.Join(' ', files));
        string all = string.Concat(files.Select(File.ReadAllText));
        Assert.That(all, Does.Not.Contain('\0'));
        Assert.That(all.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EquivalentTo(daemon.Lines));
    }

    [Test, CancelAfter(60_000)]
    public async Task SIGHUP_lets_go_of_a_moved_file_and_ends_nothing(CancellationToken token)
    {
        await using var daemon = await StartAsync(token);
        await MadeAsync(LogPath, token);
        File.Move(LogPath, LogPath + ".1");
        ProcessSignals.HangUp(daemon.ProcessId);
        await MadeAsync(LogPath, token);
        await daemon.WaitForLineAsync(
            static line => line.Contains("SIGHUP: the log file was opened anew", StringComparison.Ordinal), token);
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    [Test, CancelAfter(60_000)]
    public async Task SIGHUP_tells_what_it_could_not_do(CancellationToken token)
    {
        await using var daemon = await StartAsync(token);
        await MadeAsync(LogPath, token);
        File.Delete(LogPath);
        Directory.CreateDirectory(LogPath);
        ProcessSignals.HangUp(daemon.ProcessId);
        await daemon.WaitForLineAsync(
            static line => line.Contains("SIGHUP: the log file cannot be opened anew", StringComparison.Ordinal), token);
        Assert.That(await daemon.StopAsync(token), Is.Zero);

        await using var without = await DaemonUnderTest.StartAsync("[Health]\nEnabled = no\n[Worker:w1]\nSocksPort = 9\n", token);
        ProcessSignals.HangUp(without.ProcessId);
        await without.WaitForLineAsync(static line => line.Contains("Reloaded by SIGHUP", StringComparison.Ordinal), token);
        Assert.That(await without.StopAsync(token), Is.Zero);
    }

    [Test, CancelAfter(60_000)]
    public async Task Full_disk_costs_lines_only_and_is_told_when_it_has_room_again(CancellationToken token)
    {
        string logs = Path.GetDirectoryName(LogPath)!;
        Directory.CreateDirectory(logs);
        string[] tiny =
        [
            ClientProcess.Require("unshare"), "-m", "/bin/sh", "-c", $"mount -t tmpfs -o size=64k none {logs} && exec \"$@\"", "sh",
        ];
        if ((await ProgramRun.RunAsync(tiny[0], [.. tiny[1..], "true"], token)) is { ExitCode: not 0 } refused)
            Assert.Ignore($"skipped: no mount namespaces here: {refused.Error.Trim()}");
        await using var daemon = await StartAsync(token, under: tiny);
        string inside = $"/proc/{daemon.ProcessId}/root{logs}";

        string filler = Path.Combine(inside, "filler");
        Assert.That(() => File.WriteAllBytes(filler, new byte[64 * 1024]), Throws.InstanceOf<IOException>());
        while (!daemon.Lines.Any(static line => line.Contains("cannot be written: No space left on device", StringComparison.Ordinal)))
            await RequestAsync(daemon, token);
        await RequestAsync(daemon, token);
        File.Delete(filler);
        await RequestAsync(daemon, token);
        await daemon.WaitForLineAsync(static line => line.EndsWith("can be written again", StringComparison.Ordinal), token);

        string[] lines = await File.ReadAllLinesAsync(Path.Combine(inside, "t.log"), token);
        Assert.That(lines, Has.Some.Matches(@"WARN  \d+ log lines are missing here"));
        Assert.That(
            lines.Where(static line => !line.StartsWith("20", StringComparison.Ordinal)), Is.Empty, "a line that was cut short is ended");
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    [Test, CancelAfter(60_000)]
    public async Task Limit_of_file_sizes_does_not_end_the_daemon(CancellationToken token)
    {
        // The runtime's own memory files would be over the limit as well.
        await using var daemon = await StartAsync(
            token,
            under: [ClientProcess.Require("env"), "DOTNET_EnableWriteXorExecute=0", ClientProcess.Require("prlimit"), "--fsize=1024"]);
        while (!daemon.Lines.Any(static line => line.Contains("cannot be written: File too large", StringComparison.Ordinal)))
            await RequestAsync(daemon, token);
        await RequestAsync(daemon, token);
        Assert.That(await daemon.StopAsync(token), Is.Zero);
    }

    private Task<DaemonUnderTest> StartAsync(CancellationToken token, IReadOnlyList<string>? under = null)
    {
        string configuration = $"[Health]\nEnabled = no\n[Worker:w1]\nSocksPort = 9\n[Log]\nFile = {LogPath}\nTargets = yes\n";
        return DaemonUnderTest.StartAsync(configuration, token, _directory, under);
    }

    private static async Task MoreAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        int seen = daemon.Lines.Count(IsAccess);
        await daemon.WaitForLineAsync(IsAccess, token, seen + 20);
    }

    private static bool IsAccess(string line) => line.Contains("target=", StringComparison.Ordinal);

    private static async Task RequestsAsync(DaemonUnderTest daemon, CancellationToken enough, CancellationToken token)
    {
        while (!enough.IsCancellationRequested)
            await RequestAsync(daemon, token);
    }

    /// <summary>A request that fails at once, for the line that it leaves.</summary>
    private static async Task RequestAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(daemon.Address, token);
        await socket.SendAsync(Encoding.ASCII.GetBytes("CONNECT web.test:80 HTTP/1.1\r\nHost: web.test:80\r\n\r\n"), token);
        Assert.That(await socket.ReceiveAsync(new byte[16], token), Is.Not.Zero);
    }

    private static async Task MadeAsync(string path, CancellationToken token)
    {
        while (!File.Exists(path))
            await Task.Delay(20, token);
    }
}
