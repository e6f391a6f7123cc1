using System.Text.Json;
using TorBalancer.Processes;
using TorBalancer.Testnet.Supervision;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Testnet;

/// <summary>The command line, run as its own process.</summary>
public sealed class TestnetCommandTests
{
    private static readonly string[] Small = ["--relays", "3", "--exits", "1", "--workers", "1"];

    private string _path = null!;
    private TestnetDirectory _directory = null!;

    [SetUp]
    public void Name()
    {
        _path = Path.Combine(Path.GetTempPath(), $"tbt-{Guid.NewGuid():N}"[..20]);
        _directory = new TestnetDirectory(_path);
    }

    [TearDown]
    public void CleanUp()
    {
        if (!_directory.Exists)
            return;
        if (_directory.ReadState() is { } state && ProcessSignals.CommandLine(state.Pid).Contains(_path, StringComparison.Ordinal))
            ProcessSignals.Kill(state.Pid);
        _directory.CleanUp();
    }

    [Test]
    [CancelAfter(200_000)]
    [Category(ProgramRun.Native)]
    public async Task Up_status_and_down_leave_no_process_and_no_directory(CancellationToken cancellationToken)
    {
        SharedTestNetwork.RequireTor();
        ProgramResult up = await TestnetAsync(cancellationToken, ["up", .. Small]);
        Assert.That(up.ExitCode, Is.Zero, up.Error);
        Assert.That(up.Output, Does.Contain("consensus made").And.Contain("curl --socks5-hostname 127.0.0.1:"));
        int[] processes = [.. _directory.ReadState()!.Nodes.Select(n => n.Pid), _directory.ReadState()!.Pid];

        ProgramResult again = await TestnetAsync(cancellationToken, "up");
        Assert.That(again.ExitCode, Is.EqualTo(1));
        Assert.That(again.Error, Does.Contain("is up in " + _path));

        ProgramResult status = await TestnetAsync(cancellationToken, "status", "--json");
        Assert.That(status.ExitCode, Is.Zero, status.Error);
        using (JsonDocument json = JsonDocument.Parse(status.Output))
        {
            Assert.That(json.RootElement.GetProperty("running").GetBoolean(), Is.True);
            Assert.That(json.RootElement.GetProperty("nodesRunning").GetInt32(), Is.EqualTo(9));
            Assert.That(json.RootElement.GetProperty("state").GetProperty("phase").GetString(), Is.EqualTo("Ready"));
        }

        Assert.That(processes, Is.All.Matches<int>(ProcessStates.IsRunning));
        ProgramResult down = await TestnetAsync(cancellationToken, "down");
        Assert.That(down.ExitCode, Is.Zero, down.Error);
        Assert.That(down.Output, Does.Contain("stopped"));
        Assert.That(_directory.FindNodes(), Is.Empty);
        Assert.That(Directory.Exists(_path), Is.False);
    }

    [Test]
    [CancelAfter(200_000)]
    public async Task Killed_supervisor_takes_every_node_with_it_and_down_tidies_up(CancellationToken cancellationToken)
    {
        SharedTestNetwork.RequireTor();
        ProgramResult up = await TestnetAsync(cancellationToken, ["up", .. Small]);
        Assert.That(up.ExitCode, Is.Zero, up.Error);

        ProcessSignals.Kill(_directory.ReadState()!.Pid);

        // tor looks every 15 s whether its owner lives; the deadline is the test's.
        while (_directory.FindNodes().Count > 0)
            await Task.Delay(200, cancellationToken);
        ProgramResult status = await TestnetAsync(cancellationToken, "status");
        Assert.That(status.ExitCode, Is.EqualTo(1));
        Assert.That(status.Output, Does.Contain("no supervisor any more"));
        ProgramResult down = await TestnetAsync(cancellationToken, "down");
        Assert.That(down.ExitCode, Is.Zero, down.Error);
        Assert.That(Directory.Exists(_path), Is.False);
    }

    [TestCase("status")]
    [TestCase("down")]
    [CancelAfter(30_000)]
    public async Task Command_without_a_network_says_so(string command, CancellationToken cancellationToken)
    {
        ProgramResult result = await TestnetAsync(cancellationToken, command);
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.Contain("there is no test network in " + _path));
    }

    private Task<ProgramResult> TestnetAsync(CancellationToken cancellationToken, params string[] arguments) =>
        ProgramRun.RunAsync(ProgramRun.Daemon, ["testnet", .. arguments, "--directory", _path], cancellationToken);
}
