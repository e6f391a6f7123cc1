using System.Diagnostics;
using TorBalancer.Daemon.Logging;
using TorBalancer.Interop;
using TorBalancer.Processes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Logging;

/// <summary>Lines for the journal have its levels, and lines for anything else do not.</summary>
public sealed class JournalStreamTests
{
    private static readonly FileStatus Journal = new(8, 4711, 0, 0xC000 | 0x1B6), Other = new(8, 4712, 0, 0xC000 | 0x1B6),
        Terminal = new(0x88_0000_0003, 6, 0, 0x2000);

    [TestCase(null, false)]
    [TestCase("", false)]
    [TestCase("8", false)]
    [TestCase("8:4711", true)]
    [TestCase("8:4712", false)]
    [TestCase("9:4711", false)]
    [TestCase("8:4711:1", false)]
    public void HasOutput_looks_at_what_standard_output_is(string? variable, bool expected) =>
        Assert.That(JournalStream.HasOutput(variable, static fd => fd == 1 ? Journal : null), Is.EqualTo(expected));

    /// <summary>The variable names standard error where both go to the journal by streams of their own.</summary>
    [Test]
    public void HasOutput_takes_a_stream_beside_standard_error()
    {
        Assert.That(JournalStream.HasOutput("8:4711", static fd => fd == 1 ? Other : Journal), Is.True);
        Assert.That(JournalStream.HasOutput("8:4711", static fd => fd == 1 ? Terminal : Journal), Is.False);
        Assert.That(JournalStream.HasOutput("34819:6", static _ => Terminal), Is.True, "device numbers are those of stat(2)");
    }

    [Test, CancelAfter(60_000)]
    [Category(ProgramRun.Native)]
    public async Task Daemon_writes_levels_for_the_journal_alone([Values] bool isJournal, CancellationToken token)
    {
        string directory = DaemonUnderTest.MakeDirectory(), file = Path.Combine(directory, "torbalancer.conf");
        const string text = "[Listener:main]\nAddress = 127.0.0.1:0\nAuth = required\nUsers = ann:plain\n"
            + "[Admin]\nAddress = none\nSocket = none\n[Worker:w1]\nSocksPort = 1\n[Health]\nEnabled = no\n";
        await File.WriteAllTextAsync(file, text, token);

        // Of a pipe in place of the journal's socket; what is inherited names another.
        string stream = isJournal ? "$(stat -L -c %d:%i /proc/$$/fd/1)" : "8:4711";
        var start = new ProcessStartInfo(
            "sh", ["-c", $"export JOURNAL_STREAM={stream}; exec \"$@\"", "sh", ProgramRun.Daemon, "run", "--config", file])
        {
            RedirectStandardOutput = true,
        };
        start.Environment["HOME"] = directory;
        using var daemon = Process.Start(start)!;
        try
        {
            var lines = new List<string>();
            await ReadUntilAsync("Ready: ");
            await File.WriteAllTextAsync(file, text + "[Balancing]\nMode = randon\n", token);
            ProcessSignals.HangUp(daemon.Id);
            await ReadUntilAsync("randon");

            Assert.That(LevelOf("Ready: "), Is.EqualTo(isJournal ? "<6>" : "INFO "));
            Assert.That(LevelOf("in plain text"), Is.EqualTo(isJournal ? "<4>" : "WARN "));
            Assert.That(LevelOf("randon"), Is.EqualTo(isJournal ? "<3>" : "ERROR"));
            Assert.That(lines, Has.All.Match(isJournal ? @"^<[3-7]>\S" : @"^\d{4}-\d\d-\d\dT"));

            async Task ReadUntilAsync(string part)
            {
                do
                {
                    lines.Add(await daemon.StandardOutput.ReadLineAsync(token) ?? throw new EndOfStreamException(string.Join('\n', lines)));
                }
                while (!lines[^1].Contains(part, StringComparison.Ordinal));
            }

            string LevelOf(string part)
            {
                string line = lines.Last(one => one.Contains(part, StringComparison.Ordinal));
                return isJournal ? line[..3] : line.Split(' ', 2)[1][..5];
            }
        }
        finally
        {
            daemon.Kill();
            await daemon.WaitForExitAsync(CancellationToken.None);
            Directory.Delete(directory, recursive: true);
        }
    }
}
