using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Commands;
using TorBalancer.Tests.Configuration;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Commands;

/// <summary>torbalancer init without --wireguard: what it writes is a valid configuration, and torrc files that tor takes.</summary>
[CancelAfter(60_000)]
public class InitHostsTests
{
    private string _directory = "";

    private string Output => Path.Combine(_directory, "out");

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("tbi").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Workers_on_other_hosts_are_sections_and_torrc_files_that_fit(CancellationToken token)
    {
        var run = await InitAsync("--worker", "10.0.0.5", "--worker", "10.0.0.7:9060", "--gateway", "10.0.0.1", "--mode", "sticky");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Output, Is.EqualTo($"{Output}: 4 files; README.txt says where each belongs\n"));
        var result = Loading.Text(Text("torbalancer.conf"));
        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        Assert.That(result.Options.Balancing.Mode, Is.EqualTo("sticky"));
        Assert.That(
            result.Options.Workers.Select(static worker => $"{worker.Name} {worker.SocksEndPoint}"),
            Is.EqualTo(new[] { "worker-01 10.0.0.5:9050", "worker-02 10.0.0.7:9060" }));
        Assert.That(
            Text("worker-01/torrc"),
            Does.Contain("\nSocksPort 10.0.0.5:9050 IsolateSOCKSAuth ExtendedErrors KeepAliveIsolateSOCKSAuth\n"
                + "SocksPolicy accept 10.0.0.1\nSocksPolicy reject *\n").And.Not.Contain("ControlPort"));
        foreach (string torrc in (string[])["worker-01/torrc", "worker-02/torrc"])
            await VerifyAsync(torrc, token);
    }

    [Test]
    public async Task Workers_may_be_at_IPv6_addresses(CancellationToken token)
    {
        var run = await InitAsync("--worker", "[2001:db8::7]:9060", "--gateway", "2001:db8::1");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(Loading.Join(Loading.Text(Text("torbalancer.conf")).Errors), Is.Empty);
        Assert.That(
            Text("worker-01/torrc"),
            Does.Contain("\nSocksPort [2001:db8::7]:9060 ").And.Contain("\nSocksPolicy accept [2001:db8::1]\n"));
        await VerifyAsync("worker-01/torrc", token);
    }

    [Test]
    public async Task Control_ports_have_a_password_that_tor_takes(CancellationToken token)
    {
        int port = FreePort.Find();
        var run = await InitAsync("--worker", $"127.0.0.1:{port}", "--worker", "127.0.0.2", "--control");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        var worker = Loading.Text(Text("torbalancer.conf")).Options.Workers[0];
        Assert.That(worker.ControlPassword, Has.Length.EqualTo(32));
        string hash = Text("worker-01/torrc").Split('\n')
            .Single(static line => line.StartsWith("HashedControlPassword", StringComparison.Ordinal));
        await using var tor = await RealTor.StartAsync(token, hash);
        await using var control = await tor.ConnectAsync(token, new ControlCredentials(Password: worker.ControlPassword));
        Assert.That(control.Info.Methods, Does.Contain("HASHEDPASSWORD"));
        await VerifyAsync("worker-01/torrc", token);
    }

    [Test]
    public async Task Managed_workers_and_a_listener_for_others_are_a_valid_configuration()
    {
        var run = await InitAsync("--managed", "2", "--listen", "0.0.0.0:8118");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        var result = Loading.Text(Text("torbalancer.conf"));
        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        Assert.That(result.Options.ManagedWorkers.Count, Is.EqualTo(2));
        Assert.That(result.Options.Listeners.Single().AllowFrom, Has.Count.EqualTo(6));
        Assert.That(result.Options.Listeners.Single().AllowFrom.Any(static one => one.Contains(IPAddress.Loopback)), "and this machine");
    }

    [Test]
    public async Task Nothing_is_overwritten_without_force()
    {
        await InitAsync("--managed", "2");
        string before = Text("torbalancer.conf");

        var again = await InitAsync("--managed", "3");

        Assert.That((again.Code, again.Output), Is.EqualTo((1, "")));
        Assert.That(again.Error, Does.Contain("torbalancer.conf is there already").And.Contain("--force"));
        Assert.That(Text("torbalancer.conf"), Is.EqualTo(before));
        Assert.That((await InitAsync("--managed", "3", "--force")).Code, Is.Zero);
    }

    [TestCase("", "say what to write: init --worker ADDRESS --gateway ADDRESS")]
    [TestCase("--worker tor.example", "--worker tor.example is not an IP address")]
    [TestCase("--worker 10.0.0.5", "say who may use those workers: --gateway ADDRESS")]
    [TestCase("--worker 10.0.0.5 --gateway 10.0.0.300", "--gateway 10.0.0.300 is not an IP address")]
    [TestCase("--worker 10.0.0.5 --gateway lan0", "say who may use those workers: --gateway ADDRESS")]
    [TestCase("--worker 10.0.0.5 --managed 2", "--worker and --managed cannot go together: ")]
    [TestCase("--managed 2 --control", "--managed and --control cannot go together: ")]
    [TestCase("--control --mode random", "--control goes with --worker, which is not given: ")]
    [TestCase("--gateway 10.0.0.1", "--gateway 10.0.0.1 goes with --worker, which is not given: ")]
    [TestCase("--worker 10.0.0.5 --gateway 10.0.0.1 --gateway 10.0.0.2", "--gateway 10.0.0.1 and --gateway 10.0.0.2 cannot go together: ")]
    [TestCase("--gateway lan0 --gateway lan1", "--gateway lan0 and --gateway lan1 cannot go together: one network is behind one interface")]
    [TestCase("--endpoint 192.0.2.1", "--endpoint goes with --wireguard, which is not given: ")]
    [TestCase("--managed 2 --network 192.168", "--network goes with --wireguard, which is not given: ")]
    [TestCase("--wireguard --endpoint 192.0.2.1 --worker 10.0.0.5", "--wireguard and --worker cannot go together: ")]
    [TestCase("--wireguard --endpoint 192.0.2.1 --gateway lan0", "--wireguard and --gateway cannot go together: ")]
    [TestCase("--wireguard --endpoint 192.0.2.1 --listen 127.0.0.1:1", "--wireguard and --listen cannot go together: ")]
    [TestCase("--wireguard --endpoint 192.0.2.1 --mode random", "--wireguard and --mode cannot go together: ")]
    [TestCase("--wireguard --endpoint 192.0.2.1 --managed 1", "--wireguard and --managed cannot go together: ")]
    [TestCase("--wireguard --endpoint 192.0.2.1 --control", "--wireguard and --control cannot go together: ")]
    [TestCase("--gateway lo", "--gateway lo is this machine's loopback; allowed is the interface that the network is behind")]
    [TestCase("--gateway eth0;reboot", "--gateway eth0;reboot is neither an IP address nor an interface; an interface has up to 15")]
    [TestCase("--gateway a-name-that-is-too-long", "is neither an IP address nor an interface")]
    [TestCase("--gateway eth*", "is neither an IP address nor an interface")]
    [TestCase("--gateway ../eth0", "is neither an IP address nor an interface")]
    [TestCase("--gateway lan0 --listen 0.0.0.0:1082", "--listen 0.0.0.0:1082 and --gateway lan0 cannot go together: that is where")]
    [TestCase("--worker 10.0.0.5 --worker 10.0.0.5:9050 --gateway 10.0.0.1", "--worker 10.0.0.5:9050 is given twice")]
    [TestCase("--listen 127.0.0.1:1081", "--listen 127.0.0.1:1081 is where the admin API is, 127.0.0.1:1081; allowed is another port")]
    [TestCase("--listen 0.0.0.0:1081 --managed 2", "--listen 0.0.0.0:1081 is where the admin API is")]
    [TestCase("--worker 127.0.0.1:1080", "--worker 127.0.0.1:1080 is where programs connect to the daemon itself, --listen 127.0.0.1:1080")]
    [TestCase("--worker 127.0.0.1:1081", "--worker 127.0.0.1:1081 is where the admin API is")]
    [TestCase("--worker 10.0.0.5 --gateway fd00::1", "--worker 10.0.0.5:9050 and --gateway fd00::1 cannot go together: one is IPv4")]
    [TestCase("--worker [fd00::5]:9050 --gateway 10.0.0.1", "--worker [fd00::5]:9050 and --gateway 10.0.0.1 cannot go together: ")]
    [TestCase("--mode fast", "--mode fast is not allowed; allowed are round_robin")]
    [TestCase("--managed 99", "--managed 99 is not a number from 1 to 32")]
    [TestCase("--listen 1080", "--listen 1080 is not an IP address with a port")]
    public async Task Wrong_flags_are_2_and_say_what_is_allowed(string arguments, string expected)
    {
        var run = await InitAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.That((run.Code, run.Output, Directory.Exists(Output)), Is.EqualTo((2, "", false)));
        Assert.That(run.Error, Does.StartWith("torbalancer init: ").And.Contain(expected));
    }

    [Test]
    public async Task Questions_become_the_same_as_flags()
    {
        using var output = new StringWriter();
        using var input = new StringReader("\n10.0.0.5, 10.0.0.6\n10.0.0.1\nyes\nsticky\n");

        var answers = await new InitQuestions(input, output).AskAsync(new InitAnswers(), CancellationToken.None);

        Assert.That(answers!.Workers, Is.EqualTo(new[] { "10.0.0.5", "10.0.0.6" }));
        Assert.That(
            (answers.Listen, answers.Gateway, answers.HasControl, answers.Mode),
            Is.EqualTo(("127.0.0.1:1080", "10.0.0.1", true, "sticky")));
        Assert.That(InitPlan.Create(answers).Plan, Is.Not.Null);
    }

    [Test]
    public async Task Questions_that_are_left_give_nothing()
    {
        using var input = new StringReader("127.0.0.1:1080\n");

        Assert.That(await new InitQuestions(input, TextWriter.Null).AskAsync(new InitAnswers(), CancellationToken.None), Is.Null);
    }

    [TestCase("--gateway lan0", "22, 1080", 3)]
    [TestCase("--gateway eth0.20 --listen 127.0.0.1:1080 --managed 2", "22", 2)]
    [TestCase("--gateway lan0 --worker 10.0.0.5 --gateway 10.0.0.1 --listen 192.168.1.1:8118", "22, 8118", 3)]
    public async Task Gateway_is_a_valid_configuration_with_rules_that_name_its_ports(string arguments, string open, int managed)
    {
        var run = await InitAsync(arguments.Split(' '));

        Assert.That(run.Code, Is.Zero, run.Error);
        var result = Loading.Text(Text("torbalancer.conf"));
        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        var lan = result.Options.Listeners.Single(static one => one.Name == "lan");
        Assert.That(lan.Protocols, Is.EqualTo(ListenerProtocols.Transparent));
        Assert.That(result.Options.ManagedWorkers.Count, Is.EqualTo(managed));
        Assert.That(
            Text(GatewayFiles.Rules),
            Does.Contain($"elements = {{ {open} }}").And.Contain($"meta l4proto tcp redirect to :{((IPEndPoint)lan.Address).Port}\n")
                .And.Contain($"redirect to :{result.Options.Dns.Address!.Port}\n"));
        Assert.That(Text("README.txt"), Does.Contain(GatewayFiles.Rules).And.Contain(GatewayFiles.Kernel));
    }

    private Task<CommandRun> InitAsync(params string[] arguments) => CommandRun.OfAsync(["init", "--output", Output, .. arguments]);

    private string Text(string path) => File.ReadAllText(Path.Combine(Output, path));

    private async Task VerifyAsync(string torrc, CancellationToken token)
    {
        var result = await ProgramRun.RunAsync(
            RealTor.Executable,
            ["--defaults-torrc", "/dev/null", "-f", Path.Combine(Output, torrc), "--verify-config", "DataDirectory", _directory], token);
        Assert.That(result.ExitCode, Is.Zero, result.Output);
    }
}
