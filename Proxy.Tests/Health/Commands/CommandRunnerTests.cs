using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Health;
using TorBalancer.Health.Commands;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health.Commands;

/// <summary>The operator's commands, run by a real shell.</summary>
[CancelAfter(60_000)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class CommandRunnerTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tbc");

    private string Out => Path.Combine(_directory.FullName, "out");

    public void Dispose() => _directory.Delete(recursive: true);

    [TestCase("exit 0", 0, "")]
    [TestCase("echo fine", 0, "fine")]
    [TestCase("echo wrong >&2; exit 3", 3, "wrong")]
    [TestCase("for i in 1 2 3 4 5 6 7; do echo $i; done", 0, "3 | 4 | 5 | 6 | 7")]
    [TestCase("printf 'a\\033[31mb\\n'", 0, "a?[31mb")]
    [TestCase("cat", 0, "", Description = "nothing is to be read")]
    [TestCase("echo $GREETING", 0, "hello")]
    public async Task Exit_code_and_last_lines_come_back(string command, int code, string output, CancellationToken token)
    {
        var result = await new CommandRunner(TimeProvider.System)
            .RunAsync(command, [new("GREETING", "hello")], TimeSpan.FromSeconds(50), token);
        Assert.That(result, Is.EqualTo(new CommandResult(code, output)));
    }

    [Test]
    public async Task Command_that_takes_too_long_is_killed_with_all_that_it_started(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        var running = new CommandRunner(clock).RunAsync($"sleep 1000 & echo $! > {Out}; wait", [], TimeSpan.FromSeconds(60), token);
        int child = await ReadNumberAsync(Out, token);
        clock.Advance(TimeSpan.FromSeconds(60));
        var result = await running;

        Assert.That(result.ExitCode, Is.Null);
        Assert.That(result.Output, Does.StartWith("killed after 60 s"));
        while (IsAlive(child))
            await Task.Delay(20, token);
    }

    [Test]
    public async Task Cancelling_kills_it_too(CancellationToken token)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var running = new CommandRunner(TimeProvider.System)
            .RunAsync($"sleep 1000 & echo $! > {Out}; wait", [], TimeSpan.FromHours(1), stop.Token);
        int child = await ReadNumberAsync(Out, token);
        await stop.CancelAsync();
        Assert.That(async () => await running, Throws.InstanceOf<OperationCanceledException>());
        while (IsAlive(child))
            await Task.Delay(20, token);
    }

    [Test]
    public async Task Reconnect_command_runs_once_in_recovery_and_what_it_brings_back_is_tried_again(CancellationToken token)
    {
        // The "tunnel" is a socket that the command moves into its place.
        string hidden = Path.Combine(_directory.FullName, "hidden"), shown = Path.Combine(_directory.FullName, "shown");
        await using var worker = new FakeTorWorker(hidden);
        using var bench = new ProbeBench();
        var options = new WorkerOptions { Name = "w1", ReconnectCommand = $"echo up $TORBALANCER_WORKER; ln -s {hidden} {shown}" };

        var report = await bench.Sequence(options).RunAsync(At(shown), true, token);

        Assert.That(
            ProbeBench.Text(report),
            Is.EqualTo(
                "host=Skipped link=Skipped socks=Skipped reconnect=Passed socks=Passed paths=Skipped circuit=Passed onion=Skipped "
                    + "control=Skipped"));
        Assert.That(report.Steps[3].Detail, Is.EqualTo("exit code 0: up w1"));
        Assert.That(
            bench.Log.OfEvent("ReconnectDone").Select(static entry => entry.Message),
            Is.EqualTo(["Worker w1: its ReconnectCommand ended well: up w1"]));
    }

    [Test]
    public async Task Reconnect_command_that_fails_is_logged_and_the_step_fails(CancellationToken token)
    {
        using var bench = new ProbeBench();
        var options = new WorkerOptions { Name = "w1", ReconnectCommand = $"echo x >> {Out}; echo no such unit; exit 5" };

        var report = await bench.Sequence(options).RunAsync(At(Path.Combine(_directory.FullName, "gone")), true, token);

        Assert.That(report.Failure?.Name, Is.EqualTo(ProbeSteps.Socks));
        Assert.That(report.IsUnreachable, Is.True);
        Assert.That(await File.ReadAllTextAsync(Out, token), Is.EqualTo("x\n"), "once in a sequence");
        var entry = bench.Log.OfEvent("ReconnectFailed").Single();
        Assert.That(
            (entry.Level, entry.Message),
            Is.EqualTo((LogLevel.Warning, "Worker w1: its ReconnectCommand failed (exit code 5): no such unit")));
    }

    [Test]
    public async Task Reconnect_command_that_hangs_ends_at_its_limit(CancellationToken token)
    {
        using var bench = new ProbeBench();
        bench.Options.ReconnectTimeout = TimeSpan.FromMilliseconds(300);
        var options = new WorkerOptions { Name = "w1", ReconnectCommand = "sleep 1000" };
        var report = await bench.Sequence(options).RunAsync(At(Path.Combine(_directory.FullName, "gone")), true, token);
        Assert.That(
            report.Steps.Single(static step => step.Name == ProbeSteps.Reconnect).Detail,
            Does.StartWith("exit code none: killed after 0.3 s"));
    }

    [Test]
    public async Task Reconnect_command_runs_in_recovery_only(CancellationToken token)
    {
        using var bench = new ProbeBench();
        var options = new WorkerOptions { Name = "w1", ReconnectCommand = $"echo x >> {Out}" };
        var report = await bench.Sequence(options).RunAsync(At(Path.Combine(_directory.FullName, "gone")), false, token);
        Assert.That((report.Passed, File.Exists(Out)), Is.EqualTo((false, false)));
    }

    private static WorkerState At(string socket) => new(new WorkerModel("w1", new System.Net.Sockets.UnixDomainSocketEndPoint(socket)));

    private static async Task<int> ReadNumberAsync(string path, CancellationToken token)
    {
        while (true)
        {
            if (File.Exists(path)
                && int.TryParse(
                    (await File.ReadAllTextAsync(path, token)).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int number))
                return number;
            await Task.Delay(10, token);
        }
    }

    /// <summary>A zombie that nobody has waited for yet is dead all the same.</summary>
    private static bool IsAlive(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[stat.LastIndexOf(')') + 2] != 'Z';
        }
        catch (IOException)
        {
            return false;
        }
    }
}
