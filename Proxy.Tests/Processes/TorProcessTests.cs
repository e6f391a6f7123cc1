using System.Collections.Concurrent;
using TorBalancer.Processes;

namespace TorBalancer.Tests.Processes;

/// <summary>A shell script stands for tor: what is tested is the handling of a child, whatever it is.</summary>
public sealed class TorProcessTests
{
    private string _directory = "";

    [SetUp]
    public void SetUp() => _directory = Directory.CreateTempSubdirectory("tbp").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_directory, recursive: true);

    [Test, CancelAfter(30_000)]
    public async Task Start_passes_torrc_arguments_and_environment(CancellationToken token)
    {
        var info = Script("""echo "$@"; echo "arenas=$MALLOC_ARENA_MAX"; echo oops >&2""") with
        {
            Arguments = ["DisableNetwork", "1"],
            Environment = new Dictionary<string, string> { ["MALLOC_ARENA_MAX"] = "1" },
        };
        await using var process = TorProcess.Start(info);

        Assert.That(await process.Exited.WaitAsync(token), Is.Zero);
        Assert.That(process.LastLines, Does.Contain("--defaults-torrc /dev/null -f my-torrc DisableNetwork 1"));
        Assert.That(process.LastLines, Does.Contain("arenas=1"));
        Assert.That(process.LastLines, Does.Contain("oops"));
    }

    [Test, CancelAfter(30_000), NonParallelizable]
    public async Task Start_keeps_the_service_manager_to_ourselves(CancellationToken token)
    {
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", "/run/nobody");
        try
        {
            await using var process = TorProcess.Start(Script("""echo "notify=$NOTIFY_SOCKET" """));

            Assert.That(await process.Exited.WaitAsync(token), Is.Zero);
            Assert.That(process.LastLines, Does.Contain("notify="));
        }
        finally
        {
            Environment.SetEnvironmentVariable("NOTIFY_SOCKET", null);
        }
    }

    [Test, CancelAfter(30_000)]
    public async Task TakeOver_knows_one_by_its_descriptor_whatever_proc_says(CancellationToken token)
    {
        await using var child = TorProcess.Start(Script("exec sleep 60"));
        var (first, second) = (PidFd.Open(child.ProcessId), PidFd.Open(child.ProcessId));
        await using var taken = TorProcess.TakeOver(new RunningTor(child.ProcessId, Started: 0, [], first), null, TimeProvider.System);

        Assert.That(taken, Is.Not.Null);
        Assert.That(await taken.StopAsync(TimeSpan.FromSeconds(20)), Is.EqualTo(TorStop.Graceful));
        Assert.That(await taken.Exited.WaitAsync(token), Is.EqualTo(-1));
        Assert.That(await child.Exited.WaitAsync(token), Is.EqualTo(128 + 15));
        Assert.That(
            TorProcess.TakeOver(new RunningTor(child.ProcessId, Started: 0, [], second), null, TimeProvider.System), Is.Null,
            "it has ended");
    }

    [Test, CancelAfter(30_000)]
    public async Task Output_larger_than_a_pipe_does_not_block_the_child(CancellationToken token)
    {
        var lines = new ConcurrentQueue<string>();
        var info = Script(
            "i=0; while [ $i -lt 5000 ]; do echo \"line $i of a child that talks a lot and must never be blocked\"; i=$((i+1)); done; "
                + "exit 3") with
        {
            OnOutput = lines.Enqueue,
        };
        await using var process = TorProcess.Start(info);

        Assert.That(await process.Exited.WaitAsync(token), Is.EqualTo(3));
        Assert.That(lines, Has.Count.EqualTo(5000));
        Assert.That(process.LastLines, Has.Count.EqualTo(20));
        Assert.That(process.LastLines[^1], Does.StartWith("line 4999 "));
    }

    [Test, CancelAfter(30_000)]
    public async Task StopAsync_of_a_child_that_obeys_is_graceful(CancellationToken token)
    {
        var ready = new TaskCompletionSource();
        var info = Script("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done") with { OnOutput = _ => ready.TrySetResult() };
        await using var process = TorProcess.Start(info);
        await ready.Task.WaitAsync(token);

        Assert.That(await process.StopAsync(TimeSpan.FromSeconds(20)), Is.EqualTo(TorStop.Graceful));
        Assert.That(await process.Exited, Is.EqualTo(7));
        Assert.That(await process.StopAsync(TimeSpan.FromSeconds(20)), Is.EqualTo(TorStop.AlreadyExited));
    }

    [Test, CancelAfter(30_000)]
    public async Task StopAsync_of_a_child_that_ignores_SIGTERM_kills_it(CancellationToken token)
    {
        var ready = new TaskCompletionSource();
        var info = Script("trap '' TERM; echo ready; while :; do sleep 0.05; done") with { OnOutput = _ => ready.TrySetResult() };
        await using var process = TorProcess.Start(info);
        await ready.Task.WaitAsync(token);

        Assert.That(await process.StopAsync(TimeSpan.FromMilliseconds(100)), Is.EqualTo(TorStop.Killed));
        Assert.That(await process.Exited, Is.EqualTo(128 + 9));
    }

    [Test, CancelAfter(30_000)]
    public async Task Exited_does_not_wait_for_a_grandchild_that_keeps_the_pipe(CancellationToken token)
    {
        await using var process = TorProcess.Start(Script("sleep 15 & echo $!; exit 0"));

        Assert.That(await process.Exited.WaitAsync(TimeSpan.FromSeconds(10), token), Is.Zero);
        int grandchild = int.Parse(process.LastLines[0]);
        using var left = System.Diagnostics.Process.GetProcessById(grandchild);
        left.Kill();
    }

    [Test, CancelAfter(30_000)]
    public async Task OwnSession_keeps_the_pid_and_leads_its_own_session(CancellationToken token)
    {
        // Field 6 of /proc/pid/stat is the session; the command in field 2 has no space here.
        await using var process = TorProcess.Start(Script("""echo $$; cut -d' ' -f6 /proc/$$/stat""") with { OwnSession = true });

        await process.Exited.WaitAsync(token);
        string pid = process.ProcessId.ToString();
        Assert.That(process.LastLines, Is.EqualTo(new[] { pid, pid }));
    }

    [Test]
    public void Start_of_a_missing_executable_throws()
        => Assert.That(
            () => TorProcess.Start(new TorStartInfo(Path.Combine(_directory, "none"), "my-torrc")),
            Throws.InstanceOf<System.ComponentModel.Win32Exception>());

    private TorStartInfo Script(string body)
    {
        string path = Path.Combine(_directory, "tor.sh");
        File.WriteAllText(path, "#!/bin/sh\n" + body + "\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new TorStartInfo(path, "my-torrc");
    }
}
