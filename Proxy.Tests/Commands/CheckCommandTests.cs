using System.CommandLine;
using TorBalancer.Daemon.Commands;

namespace TorBalancer.Tests.Commands;

public class CheckCommandTests
{
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void Check_valid_file_says_what_is_in_it()
    {
        string file = Write("[Listener:a]\n[Listener:b]\nAddress = 127.0.0.1:1090\n[Worker:w]\n[Balancing]\nMode = sticky\n");

        var (code, output, error) = Check("--config", file);

        Assert.That((code, output, error), Is.EqualTo((0, $"{file}: ok (2 listeners, 1 worker, mode sticky)\n", "")));
    }

    [Test]
    public void Check_managed_workers_are_called_so() =>
        Assert.That(Check("--config", Write("")).Output, Does.EndWith(": ok (1 listener, 3 managed workers, mode round_robin)\n"));

    [Test]
    public void Check_errors_all_to_standard_error_and_1()
    {
        string file = Write("[Balancing]\nMode = randon\n[Conect]\n");

        var (code, output, error) = Check("--config", file);

        Assert.That((code, output), Is.EqualTo((1, "")));
        Assert.That(error.Split('\n'), Has.Length.EqualTo(3));
        Assert.That(
            error, Does.StartWith($"{file}:2: [Balancing] Mode = \"randon\"").And.Contain($"\n{file}:3: there is no section [Conect]"));
    }

    [Test]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void Check_warnings_are_shown_and_0()
    {
        string file = Write("[Listener:a]\nUsers = a:b\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead);

        var (code, output, error) = Check("--config", file);

        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Contain(": ok ("));
        Assert.That(error, Is.EqualTo($"{file}:2: warning: [Listener:a] the users are not asked for: Auth is none\n"));
    }

    [Test]
    public void Check_transport_without_a_program_is_named_with_the_lines_of_both_files()
    {
        string bridges = Path.Combine(_directory, "bridges");
        File.WriteAllText(bridges, "# ours\n192.0.2.7:443\nnobodys 192.0.2.8:443\nother 192.0.2.9:443\n");
        string file = Write("[ManagedWorkers]\nTransports = other=/nowhere/other -x\nBridges = bridges\n");

        var (code, output, error) = Check("--config", file);

        Assert.That((code, output), Is.EqualTo((1, "")));
        Assert.That(error.Split('\n'), Is.EqualTo(new[]
        {
            $"{file}:3: [ManagedWorkers] Bridges = \"{bridges}\" line 3 has the transport nobodys, of which nothing is known: name its "
                + "program by Transports = nobodys=/path/to/program",
            $"{file}:2: [ManagedWorkers] Transports = other=/nowhere/other -x: /nowhere/other is no program that can be run",
            "",
        }));
    }

    [Test]
    public void Check_country_with_few_exits_in_the_list_that_a_worker_has_kept_is_a_warning()
    {
        File.WriteAllText(
            Path.Combine(_directory, "geoip"), "# IPv4\n16909056,16909311,DE\n167772160,184549375,us\n3221225472,3221225727,FR\n");
        File.WriteAllText(Path.Combine(_directory, "torrc"), $"GeoIPFile {_directory}/geoip\n");
        string state = Directory.CreateDirectory(Path.Combine(_directory, "state", "tor-2")).FullName;
        File.WriteAllText(
            Path.Combine(state, "cached-microdesc-consensus"),
            "network-status-version 3 microdesc\n" + Relay("1.2.3.4", "Exit Fast Running Valid") + Relay("1.2.3.255", "Exit Running")
                + Relay("1.2.4.0", "Exit Running") + Relay("1.2.3.5", "Fast Running") + Relay("1.2.3.6", "BadExit Exit Running")
                + string.Concat(Enumerable.Range(0, 10).Select(static i => Relay($"10.0.0.{i}", "Exit Running"))));
        string file = Write(
            $"[ManagedWorkers]\nDataDirectory = {_directory}/state\nExtraTorrc = {_directory}/torrc\n"
                + "Countries = de, us, fr, any, DE\n");

        var (code, output, error) = Check("--config", file);

        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Contain(": ok ("));
        Assert.That(error.Split('\n'), Is.EqualTo(new[]
        {
            $"{file}:4: warning: [ManagedWorkers] Countries has de, in which the network had 2 exits when a worker last ran: few are soon "
                + "blocked, carry little, and tell their users apart",
            $"{file}:4: warning: [ManagedWorkers] Countries has fr, in which the network had 0 exits when a worker last ran: few are soon "
                + "blocked, carry little, and tell their users apart",
            "",
        }));
        Directory.Delete(Path.Combine(_directory, "state"), recursive: true);
        Assert.That(Check("--config", file).Error, Is.Empty, "nothing is known");

        static string Relay(string address, string flags) =>
            $"r name AAAAAAAAAAAAAAAAAAAAAAAAAAA 2026-11-29 12:00:00 {address} 9001 0\nm AAAA\ns {flags}\nw Bandwidth=1\n";
    }

    [TestCase("--Balancing:Mode=failover")]
    [TestCase("--Balancing:Mode", "failover")]
    public void Check_overrides_before_and_behind_the_file(params string[] arguments)
    {
        string file = Write("");

        Assert.That(Check([.. arguments, "--config", file]).Output, Does.EndWith("mode failover)\n"));
        Assert.That(Check(["--config", file, .. arguments]).Output, Does.EndWith("mode failover)\n"));
        Assert.That(Check([$"--config={file}", .. arguments]).Output, Does.EndWith("mode failover)\n"));
    }

    [Test]
    public void Check_missing_file_is_1()
    {
        var (code, _, error) = Check("--config", Path.Combine(_directory, "no.conf"));

        Assert.That((code, error), Is.EqualTo((1, $"{Path.Combine(_directory, "no.conf")}: the configuration file does not exist\n")));
    }

    [TestCase("some.conf")]
    [TestCase("--verbose")]
    [TestCase("--Log:Level")]
    public void Check_argument_that_is_no_override_is_2(string argument)
    {
        var (code, output, error) = Check("--config", Write(""), argument);

        Assert.That((code, output), Is.EqualTo((2, "")));
        Assert.That(error, Does.StartWith("command line: "));
    }

    [Test]
    public void Check_config_without_a_file_is_2() => Assert.That(Check("--config").Code, Is.EqualTo(2));

    private string Write(string text)
    {
        string path = Path.Combine(_directory, "t.conf");
        File.WriteAllText(path, text);
        return path;
    }

    private static (int Code, string Output, string Error) Check(params string[] arguments)
    {
        var root = new RootCommand { CheckCommand.Create() };
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = root.Parse(["check", .. arguments]).Invoke(new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
