using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Tor;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Configuration.Syntax;

public class TorrcTextTests
{
    [TestCase("Nickname a", "Nickname a")]
    [TestCase("  Nickname a # me\r\n\n# x\nSafeLogging 0\n", "Nickname a|SafeLogging 0")]
    [TestCase("Bridge 192.0.2.1:1 \\\n  # mine\n  more\nSafeLogging 0", "Bridge 192.0.2.1:1     more|SafeLogging 0")]
    [TestCase("Bridge 192.0.2.1:1 \\\r\nmore\r\n", "Bridge 192.0.2.1:1 more")]
    [TestCase("SocksPolicy\\\naccept 1.2.3.4", "SocksPolicy accept 1.2.3.4")]
    [TestCase("SocksPolicy\\\n\\\naccept 1.2.3.4", "SocksPolicy accept 1.2.3.4")]
    [TestCase("ContactInfo a\\\nb", "ContactInfo ab")]
    [TestCase("\\\n \nNickname a", "Nickname a")]
    [TestCase("ContactInfo \"a # \\\" b\" # c\n", "ContactInfo \"a # \\\" b\" # c")]
    [TestCase("%include /etc/tor/x", "%include /etc/tor/x")]
    public void Parse_gives_one_line_for_each_option(string text, string lines) =>
        Assert.That(TorrcText.Parse(text),
            Is.EqualTo((lines.Split('|'), (string?)null)).Using<(IReadOnlyList<string> Lines, string? Problem)>(
            static (a, b) => a.Lines.SequenceEqual(b.Lines) && a.Problem == b.Problem));

    [TestCase("SafeLogging 0\nNickname x \\\n", "line 2 ends in \\")]
    [TestCase("Nickname x \\", "line 1 ends in \\")]
    [TestCase("Nickname x\\\r\n", "line 1 ends in \\")]
    [TestCase("A 1\nNickname x \\\n# comment\n", "line 3 ends in \\")]
    [TestCase("Nickname x \\\n\n", null)]
    [TestCase("A 1\nB \0", "line 2 holds the control character 0x00")]
    [TestCase("A 1\rDataDirectory /x", "line 1 holds the control character 0x0d")]
    [TestCase("ContactInfo \"a\nDataDirectory b\"", "line 1 begins a quoted value that does not end")]
    [TestCase("ContactInfo\\\n\"a\" b", "line 1 goes on to a value that begins with a double quote")]
    [TestCase("ContactInfo \"a\" b", "line 1 has something behind its quoted value")]
    public void Parse_names_the_line_that_would_not_end_where_it_ends(string text, string? problem) =>
        Assert.That(TorrcText.Parse(text).Problem, problem is null ? Is.Null : Does.StartWith(problem));

    /// <summary>Real tor reads back every option of ours, whatever lines and paths stand around it.</summary>
    [TestCase("ContactInfo a \\\n b # c\nNickname x # \\\n", "plain")]
    [TestCase("ContactInfo \"a \\\"b\\\" \\\\\"\n", "sp ace")]
    [TestCase("# nothing \\\n", "quo\"te'")]
    [TestCase("", "back\\slash")]
    [TestCase("", "ha#sh")]
    [TestCase("", "line\nSafeLogging 0")]
    [TestCase("", "tab\tü")]
    [CancelAfter(60_000)]
    public async Task Tor_takes_our_lines_as_they_are(string extra, string name, CancellationToken token)
    {
        string tor = RealTor.Executable, directory = Directory.CreateTempSubdirectory("tbt").FullName;
        try
        {
            var paths = new ManagedWorkerPaths(Path.Combine(directory, name), Path.Combine(directory, "run"));
            ManagedWorkerFiles.MakePrivate(paths.DataDirectory("tor-1"));
            ManagedWorkerFiles.MakePrivate(Path.Combine(paths.Sockets!, "tor-1"));
            string torrc = Path.Combine(directory, "torrc");
            ManagedWorkerFiles.WritePrivate(torrc, ManagedTorrc.Lines(paths, "tor-1", TorrcText.Parse(extra).Lines, Environment.ProcessId));

            var verified = await ProgramRun.RunAsync(tor, ["--verify-config", "--defaults-torrc", "/dev/null", "-f", torrc], token);
            Assert.That(verified.ExitCode, Is.Zero, verified.Output);
            var dumped = await ProgramRun.RunAsync(tor, ["--dump-config", "short", "--defaults-torrc", "/dev/null", "-f", torrc], token);
            string[] lines = dumped.Output.Split('\n');
            Assert.That(lines, Has.One.StartsWith("DataDirectory ").And.Some.StartsWith("ControlSocket "));
            Assert.That(lines, Has.None.EqualTo("SafeLogging 0"));
            Assert.That(dumped.Output, name.Any(char.IsControl) ? Is.Not.Empty : Does.Contain("tor-1"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
