using System.Text.Json;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands.Live;

/// <summary>top on a terminal of its own: what it shows, what its keys do, and how it leaves the terminal.</summary>
[CancelAfter(60_000)]
public class TopScreenTests
{
    // Starts it on a new terminal, sends what stands in the script, and says whether the terminal is as it was.
    // A step is a text to wait for, what to type then, or a signal.
    private const string Drive = """
        import json, os, pty, select, signal, struct, sys, termios, time, fcntl
        program, steps = sys.argv[1:-1], json.loads(sys.argv[-1])
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 110, 0, 0))
        before = termios.tcgetattr(slave)
        pid = os.fork()
        if pid == 0:
            os.close(master)
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2): os.dup2(slave, fd)
            # A shell's background jobs ignore some of them, and so would what they start.
            for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM): signal.signal(ignored, signal.SIG_DFL)
            os.execv(program[0], program)
        shown, raw = b"", False
        def read(seconds):
            global shown
            if select.select([master], [], [], seconds)[0]:
                try: shown += os.read(master, 65536)
                except OSError: pass
        for step in steps:
            if "wait" in step:
                end, start = time.time() + 15, step.get("from", 0)
                while step["wait"].encode() not in shown:
                    if time.time() > end: print("NOT SEEN", step["wait"], shown[-3000:].decode(errors="replace")); sys.exit(3)
                    read(0.1)
                if not step.get("keep"): shown = b""
            if "type" in step: os.write(master, step["type"].encode())
            if "size" in step:
                fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *step["size"], 0, 0))
                os.kill(pid, signal.SIGWINCH)
            if "raw" in step:
                end = time.time() + 10
                while (termios.tcgetattr(slave)[3] & termios.ICANON == 0) != step["raw"]:
                    if time.time() > end: print("RAW IS NOT", step["raw"]); sys.exit(3)
                    read(0.05)
            if "signal" in step: os.kill(pid, getattr(signal, step["signal"]))
            if "stopped" in step:
                end = time.time() + 10
                while open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "T":
                    if time.time() > end: print("NOT STOPPED"); sys.exit(3)
                    read(0.05)
        end = time.time() + 15
        while True:
            read(0.05)
            done, status = os.waitpid(pid, os.WNOHANG)
            if done: break
            if time.time() > end: os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0); print("DID NOT END"); sys.exit(3)
        read(0.1)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "same": termios.tcgetattr(slave) == before,
            "left": shown.rstrip().endswith(b"\x1b[?1049l"), "colour": b"\x1b[32m" in shown}))
        """;

    private FakeTorWorker _worker = null!;
    private AdminUnderTest _admin = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _worker = new FakeTorWorker();
        _admin = await AdminUnderTest.StartAsync(_worker);
    }

    [TearDown]
    public async Task StopAsync()
    {
        await _admin.DisposeAsync();
        await _worker.DisposeAsync();
    }

    [Test]
    public async Task Keys_drain_and_enable_and_q_leaves_the_terminal_as_it_was(CancellationToken token)
    {
        var end = await DriveAsync(
            """
            [{"wait": "worker-01", "raw": true}, {"type": "d"}, {"wait": "worker-01 drains"}, {"wait": "draining"}, {"type": "e"},
             {"wait": "worker-01 is enabled"}, {"type": "s"}, {"wait": "sorted by connections"}, {"size": [10, 60]}, {"wait": "q quit"},
             {"type": "q"}]
            """, token);

        Assert.That(end, Is.EqualTo((0, true, true)));
        Assert.That(_admin.Proxy.Pool.Find("worker-01")!.IsEligible, Is.True);
    }

    [TestCase("SIGINT"), TestCase("SIGTERM"), TestCase("SIGHUP"), TestCase("SIGQUIT")]
    public async Task Every_signal_leaves_the_terminal_as_it_was(string signal, CancellationToken token)
    {
        var end = await DriveAsync($$"""[{"wait": "worker-01", "raw": true}, {"signal": "{{signal}}"}]""", token);

        Assert.That(end, Is.EqualTo((0, true, true)));
    }

    [Test]
    public async Task Stopped_it_gives_the_terminal_back_and_takes_it_again_when_it_goes_on(CancellationToken token)
    {
        var end = await DriveAsync(
            """
            [{"wait": "worker-01", "raw": true}, {"signal": "SIGTSTP"}, {"stopped": true, "raw": false}, {"signal": "SIGCONT"},
             {"raw": true, "wait": "\u001b[?1049h"}, {"wait": "worker-01"}, {"type": "q"}]
            """, token);

        Assert.That(end, Is.EqualTo((0, true, true)));
    }

    [Test]
    public async Task Without_colours_none_is_written(CancellationToken token)
    {
        const string steps = """[{"wait": "worker-01", "keep": true}, {"wait": "HEALTHY", "keep": true}, {"type": "q"}]""";

        Assert.That(await ColoursAsync(steps, [], token), Is.True);
        Assert.That(await ColoursAsync(steps, new Dictionary<string, string> { ["NO_COLOR"] = "1" }, token), Is.False);
    }

    private async Task<(int Code, bool IsSame, bool HasLeft)> DriveAsync(string steps, CancellationToken token)
    {
        var end = await RunAsync(steps, [], token);
        return (end.GetProperty("code").GetInt32(), end.GetProperty("same").GetBoolean(), end.GetProperty("left").GetBoolean());
    }

    private async Task<bool> ColoursAsync(string steps, Dictionary<string, string> environment, CancellationToken token) =>
        (await RunAsync(steps, environment, token)).GetProperty("colour").GetBoolean();

    private async Task<JsonElement> RunAsync(string steps, Dictionary<string, string> environment, CancellationToken token)
    {
        var all = new Dictionary<string, string>(environment) { ["TERM"] = "xterm" };
        var result = await ClientProcess.RunAsync(
            "/usr/bin/python3",
            ["-c", Drive, ProgramRun.Daemon, "top", "--interval", "300ms", "--admin", $"{_admin.Server.Address}", steps], token, all);
        Assert.That((result.ExitCode, result.Error), Is.EqualTo((0, "")), result.Output);
        return JsonDocument.Parse(result.Output).RootElement.Clone();
    }
}
