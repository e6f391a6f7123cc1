using System.Runtime.Versioning;
using System.Text;
using System.Text.RegularExpressions;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

/// <summary>The real executable with a real standard input, and Apache's own tool for what it has written.</summary>
[CancelAfter(60_000)]
[SupportedOSPlatform("linux")]
public sealed partial class UserCommandTests
{
    private string _directory = "";

    private string UsersPath => Path.Combine(_directory, "users");

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("tbu").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    [Category(ProgramRun.Native)]
    public async Task Add_check_and_remove(CancellationToken token)
    {
        var added = await UserAsync("s3cret", token, "add", "--file", UsersPath, "ann");
        Assert.That((added.ExitCode, added.Output), Is.EqualTo((0, $"ann: added to {UsersPath}\n")), added.Error);
        Assert.That(await File.ReadAllTextAsync(UsersPath, token), Does.Match(YescryptOrSha()));
        Assert.That(File.GetUnixFileMode(UsersPath), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));

        Assert.That((await UserAsync("s3cret\n", token, "check", "--file", UsersPath, "ann")).ExitCode, Is.Zero);
        var wrong = await UserAsync("guess", token, "check", "--file", UsersPath, "ann");
        Assert.That((wrong.ExitCode, wrong.Error), Is.EqualTo((1, "torbalancer user check: ann: the password is another\n")));
        Assert.That((await UserAsync("s3cret", token, "check", "--file", UsersPath, "bob")).ExitCode, Is.EqualTo(4));

        var changed = await UserAsync("other", token, "add", "--file", UsersPath, "ann");
        Assert.That(changed.Output, Does.StartWith("ann: has another password"));
        Assert.That((await UserAsync("s3cret", token, "check", "--file", UsersPath, "ann")).ExitCode, Is.EqualTo(1));
        Assert.That((await UserAsync("", token, "remove", "--file", UsersPath, "ann")).ExitCode, Is.Zero);
        Assert.That(await File.ReadAllTextAsync(UsersPath, token), Is.Empty);
        Assert.That((await UserAsync("", token, "remove", "--file", UsersPath, "ann")).ExitCode, Is.EqualTo(4));
    }

    [TestCase("yescrypt", "$y$")]
    [TestCase("sha512", "$6$")]
    [TestCase("sha256", "$5$")]
    [TestCase("bcrypt", "$2y$")]
    public async Task Add_makes_the_kind_of_hash_that_is_asked_for_and_Apache_verifies_it(
        string method, string prefix, CancellationToken token)
    {
        string htpasswd = ClientProcess.Require("htpasswd");
        var added = await UserAsync("pass word, é", token, "add", "--file", UsersPath, "--method", method, "ann");
        Assert.That(added.ExitCode, Is.Zero, added.Error);
        Assert.That(await File.ReadAllTextAsync(UsersPath, token), Does.StartWith("ann:" + prefix));
        Assert.That((await ProgramRun.RunAsync(htpasswd, ["-vb", UsersPath, "ann", "pass word, é"], token)).ExitCode, Is.Zero);
        Assert.That((await ProgramRun.RunAsync(htpasswd, ["-vb", UsersPath, "ann", "pass word"], token)).ExitCode, Is.Not.Zero);
    }

    [Test]
    public async Task Edit_keeps_comments_order_mode_and_link(CancellationToken token)
    {
        string real = Path.Combine(_directory, "real");
        await File.WriteAllTextAsync(real, "# people\n\nann:one\r\n # more\nbob:two", token);
        File.SetUnixFileMode(real, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        File.CreateSymbolicLink(UsersPath, real);
        ulong before = (ulong)new FileInfo(real).Length;

        Assert.That((await UserAsync("x", token, "add", "--file", UsersPath, "ann")).ExitCode, Is.Zero);
        Assert.That((await UserAsync("x", token, "add", "--file", UsersPath, "eve")).ExitCode, Is.Zero);

        string[] lines = await File.ReadAllLinesAsync(real, token);
        Assert.That(
            lines.Select(static line => line.Contains('$') ? line[..(line.IndexOf('$') + 1)] : line),
            Is.EqualTo(new[] { "# people", "", "ann:$", " # more", "bob:two", "eve:$" }));
        Assert.That(new FileInfo(UsersPath).LinkTarget, Is.EqualTo(real));
        Assert.That(
            File.GetUnixFileMode(real), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead));
        Assert.That((ulong)new FileInfo(real).Length, Is.GreaterThan(before));
        Assert.That(Directory.GetFiles(_directory).Select(Path.GetFileName), Is.EquivalentTo(new[] { "real", "users" }));
    }

    [TestCase("a:b", "the name has a colon")]
    [TestCase("a-b", "the name has a '-', at which the parameters of a user name begin (a-session-abc)")]
    [TestCase("a,b", "the name has a ','")]
    [TestCase("#a", "the name begins with #")]
    [TestCase(" a", "the name is empty, or begins")]
    public async Task Add_refuses_names_that_could_not_be_used(string name, string why, CancellationToken token)
    {
        var result = await UserAsync("x", token, "add", "--file", UsersPath, name);
        Assert.That((result.ExitCode, result.Error), Is.EqualTo((2, result.Error)));
        Assert.That(result.Error, Does.StartWith("torbalancer user add: " + why));
        Assert.That(File.Exists(UsersPath), Is.False);
    }

    [Test]
    public async Task Add_refuses_a_name_that_SOCKS5_cannot_send(CancellationToken token)
    {
        var result = await UserAsync("x", token, "add", "--file", UsersPath, new string('n', 254) + "é");
        Assert.That(result.Error, Is.EqualTo("torbalancer user add: the name has more than 255 bytes, which SOCKS5 cannot send\n"));
        Assert.That((await UserAsync("x", token, "add", "--file", UsersPath, new string('n', 255))).ExitCode, Is.Zero);
    }

    [TestCase("", null, "standard input has no password")]
    [TestCase("\n", null, "the password is empty")]
    [TestCase("s3cret_session-x", null, "the password has an underscore with a parameter behind it")]
    [TestCase("s3\tcret", null, "the password has a control character")]
    [TestCase("0123456789012345678901234567890123456789012345678901234567890123456789012", "bcrypt", "the password has more than 72 bytes")]
    public async Task Add_refuses_passwords_that_could_not_be_used(string password, string? method, string why, CancellationToken token)
    {
        string[] more = method is null ? [] : ["--method", method];
        var result = await UserAsync(password, token, ["add", "--file", UsersPath, .. more, "ann"]);
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.StartWith("torbalancer user add: " + why).And.Not.Contain("s3"));
        Assert.That(File.Exists(UsersPath), Is.False);
    }

    [Test]
    public async Task File_is_found_by_the_configuration(CancellationToken token)
    {
        string conf = Path.Combine(_directory, "t.conf");
        await File.WriteAllTextAsync(
            conf,
            "[Listener:a]\nAuth = required\nUsersFile = users\n"
                + "[Listener:b]\nAddress = 127.0.0.1:1\nAuth = required\nUsersFile = others\n",
            token);
        var several = await UserAsync("x", token, "add", "--config", conf, "ann");
        Assert.That((several.ExitCode, several.Error), Is.EqualTo((2, several.Error)));
        Assert.That(several.Error, Does.Contain("several listeners have a UsersFile: name one with --listener"));
        var unknown = await UserAsync("x", token, "add", "--config", conf, "--listener", "c", "ann");
        Assert.That(unknown.Error, Does.Contain("there is no listener c"));

        Assert.That((await UserAsync("x", token, "add", "--config", conf, "--listener", "b", "ann")).ExitCode, Is.Zero);
        Assert.That(File.Exists(Path.Combine(_directory, "others")), Is.True);
        Assert.That((await UserAsync("x", token, "add", "--config", conf, "--listener", "a", "ann")).ExitCode, Is.Zero);
        var check = await CommandRun.OfAsync("check", "--config", conf);
        Assert.That((check.Code, check.Error), Is.EqualTo((0, "")));
    }

    /// <summary>At a terminal: asked for twice, and not shown.</summary>
    [TestCase("s3cret", 0)]
    [TestCase("mismatch", 1)]
    public async Task Add_asks_at_a_terminal_without_an_echo(string again, int code, CancellationToken token)
    {
        const string program = """
            import os, pty, sys, termios
            pid, fd = pty.fork()
            if pid == 0:
                os.execv(sys.argv[2], sys.argv[2:])
            said = b''
            answers = [(b'ann: ', b's3cret\n'), (b'again: ', sys.argv[1].encode() + b'\n')]
            while True:
                try:
                    more = os.read(fd, 4096)
                except OSError:
                    break
                if not more:
                    break
                said += more
                while answers and answers[0][0] in said:
                    os.write(fd, answers.pop(0)[1])
            sys.stdout.buffer.write(said + b'echo=%d' % bool(termios.tcgetattr(fd)[3] & termios.ECHO))
            sys.stdout.flush()
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """;
        var result = await ClientProcess.RunAsync(
            "python3", ["-c", program, again, ProgramRun.Daemon, "user", "add", "--file", UsersPath, "ann"], token);

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((code, result.Output)));
        Assert.That(
            result.Output,
            Does.Contain("Password of ann: ").And.Contain("The same again: ").And.Not.Contain("s3cret").And.Not.Contain("mismatch"));
        Assert.That(result.Output, Does.EndWith("echo=1"), "the terminal is left as it was");
        Assert.That(File.Exists(UsersPath), Is.EqualTo(code == 0));
    }

    private static Task<ClientResult> UserAsync(string input, CancellationToken token, params string[] arguments) =>
        ClientProcess.RunAsync(ProgramRun.Daemon, ["user", .. arguments], token, input: Encoding.UTF8.GetBytes(input));

    [GeneratedRegex(@"\Aann:\$(y|6)\$[^\n]+\n\z")]
    private static partial Regex YescryptOrSha();
}
