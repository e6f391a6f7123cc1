using System.Net;

namespace TorBalancer.Tests.Configuration.Reading;

public class LayerReaderTests
{
    private const string Text = "[Balancing]\nMode = sticky\n[Connect]\nAttempts = 5\n";

    [Test]
    public void Load_nothing_given_is_the_defaults()
    {
        var result = Loading.Sources();

        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        Assert.That(result.Source, Is.EqualTo("built-in defaults"));
        Assert.That(result.Options.Listeners.Single().Name, Is.EqualTo("main"));
        Assert.That(result.Options.Listeners.Single().Address, Is.EqualTo(new IPEndPoint(IPAddress.Loopback, 1080)));
        Assert.That(result.Options.Workers, Is.Empty);
    }

    [Test]
    public void Load_file_wins_over_defaults()
    {
        var options = Loading.Text(Text).Options;

        Assert.That((options.Balancing.Mode, options.Connect.Attempts), Is.EqualTo(("sticky", 5)));
    }

    [Test]
    public void Load_environment_wins_over_file()
    {
        var result = Loading.Sources(Text, new() { ["TORBALANCER_Balancing__Mode"] = "random" });

        Assert.That((result.Options.Balancing.Mode, result.Options.Connect.Attempts), Is.EqualTo(("random", 5)));
    }

    [TestCase("--Balancing:Mode=failover")]
    [TestCase("--balancing:MODE=failover")]
    [TestCase("--Balancing:Mode", "failover")]
    [TestCase("--Balancing:Mode=random", "--Balancing:Mode=failover")]
    public void Load_command_line_wins_over_all(params string[] arguments)
    {
        var result = Loading.Sources(Text, new() { ["TORBALANCER_BALANCING__MODE"] = "random" }, arguments);

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That((result.Options.Balancing.Mode, result.Options.Connect.Attempts), Is.EqualTo(("failover", 5)));
    }

    [Test]
    public void Load_empty_value_takes_a_lower_layer_back()
    {
        var result = Loading.Sources(Text, new() { ["TORBALANCER_Balancing__Mode"] = "" });

        Assert.That(result.Options.Balancing.Mode, Is.EqualTo("round_robin"));
    }

    [Test]
    public void Load_letter_case_does_not_matter()
    {
        var options = Loading.Text("[BALANCING]\nmode = STICKY\n[worker:W1]\nsocksPORT=9150").Options;

        Assert.That(options.Balancing.Mode, Is.EqualTo("sticky"));
        Assert.That(options.Workers.Single().Name, Is.EqualTo("W1"));
        Assert.That(options.Workers.Single().SocksEndPoint, Is.EqualTo(new IPEndPoint(IPAddress.Loopback, 9150)));
    }

    [Test]
    public void Load_workers_keep_the_order_of_the_file_then_environment_then_command_line()
    {
        const string File = "[Worker:zed]\nAddress=10.0.0.1\n[Worker:10]\nAddress=10.0.0.2\n[Worker:9]\nAddress=10.0.0.3\n"
            + "[Worker:ann]\n[Listener:z]\n[Listener:b]\nAddress=127.0.0.1:2\n";
        var result = Loading.Sources(
            File,
            new()
            {
                ["TORBALANCER_Worker__m2__Address"] = "10.0.0.6",
                ["TORBALANCER_Worker__m1__Address"] = "10.0.0.5",
                ["TORBALANCER_Worker__ZED__Weight"] = "7",
            },
            ["--Worker:a0:Address=10.0.0.7"]);

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Workers.Select(worker => worker.Name), Is.EqualTo(new[] { "zed", "10", "9", "ann", "m1", "m2", "a0" }));
        Assert.That(result.Options.Listeners.Select(listener => listener.Name), Is.EqualTo(new[] { "z", "b" }));
        Assert.That(result.Options.Workers[0].Weight, Is.EqualTo(7));
    }

    [TestCase("TORBALANCER_Balancing__Moed", "random",
        "environment variable TORBALANCER_Balancing__Moed: [Balancing] has no key \"Moed\"; allowed: Mode, StickyBy, Isolation, KeyFile, "
        + "Panic, PassOver; did you mean \"Mode\"?")]
    [TestCase("TORBALANCER_Balancin__Mode", "random",
        "environment variable TORBALANCER_Balancin__Mode: there is no section [Balancin]; allowed: Listener:name, User:name, "
        + "Dns, Admin, Readiness, Balancing, Circuits, Connect, Tunnel, Engine, Health, Alerts, Blacklist, Route, Rule:name, "
        + "Log, Worker:name, Discovery, ManagedWorkers, Publisher, OnionService:name, Instance:service/name; did you mean "
        + "[Balancing]?")]
    [TestCase("TORBALANCER_Connect__Attempts", "many",
        "environment variable TORBALANCER_Connect__Attempts: [Connect] Attempts = \"many\" is not a whole number; allowed: a number from 1 "
        + "to 16")]
    public void Load_environment_mistake_names_the_variable(string name, string value, string expected) =>
        Assert.That(Loading.Join(Loading.Sources(environment: new() { [name] = value }).Errors), Is.EqualTo(expected));

    [Test]
    public void Load_environment_same_key_in_two_spellings_is_an_error()
    {
        var result = Loading.Sources(environment: new() { ["TORBALANCER_LOG__LEVEL"] = "info", ["TORBALANCER_Log__Level"] = "warn" });

        Assert.That(Loading.Join(result.Errors),
            Is.EqualTo("environment variable TORBALANCER_Log__Level: sets the same key as TORBALANCER_LOG__LEVEL, which differs in letter "
            + "case only"));
    }

    [Test]
    public void Load_environment_without_double_underscore_is_a_warning()
    {
        var result = Loading.Sources(environment: new() { ["TORBALANCER_Balancing_Mode"] = "random", ["OTHER__X"] = "y" });

        Assert.That(result.IsValid, Is.True);
        Assert.That(Loading.Join(result.Warnings),
            Does.StartWith("environment variable TORBALANCER_Balancing_Mode: names no key").And.Not.Contain("OTHER"));
    }

    [TestCase("TORBALANCER_BALANCING_MODE", "TORBALANCER_Balancing__Mode")]
    [TestCase("TORBALANCER_Connect_Attempt_Timeout", "TORBALANCER_Connect__AttemptTimeout")]
    [TestCase("TORBALANCER_Worker_w1_SocksPort", "TORBALANCER_Worker__w1__SocksPort")]
    [TestCase("TORBALANCER_Attempts", "TORBALANCER_Connect__Attempts")]
    [TestCase("TORBALANCER_CONFIG_FILE", "TORBALANCER_CONFIG")]
    [TestCase("TORBALLANCER_Balancing__Mode", "TORBALANCER_Balancing__Mode")]
    [TestCase("TOR_BALANCER_Balancing__Mode", "TORBALANCER_Balancing__Mode")]
    public void Load_environment_variable_that_sets_nothing_is_a_warning_with_the_right_one(string name, string meant)
    {
        var result = Loading.Sources(environment: new() { [name] = "x" });

        Assert.That(result.IsValid, Is.True);
        Assert.That(Loading.Join(result.Warnings),
            Does.StartWith($"environment variable {name}: ").And.EndsWith($"; did you mean {meant}?"));
    }

    [TestCase("\"random\"", "random")]
    [TestCase("random # any", "random")]
    [TestCase("roundrobin", "round_robin")]
    public void Load_environment_value_gets_a_suggestion_too(string value, string meant) =>
        Assert.That(Loading.Join(Loading.Sources(environment: new() { ["TORBALANCER_Balancing__Mode"] = value }).Errors),
            Does.EndWith($"; did you mean \"{meant}\"?"));

    [TestCase("--Balancing:Mode", "--Balancing.Mode=random")]
    [TestCase("--Balancing:Mode", "--Balancing__Mode=random")]
    [TestCase("--Balancing:Mode", "Balancing:Mode=random")]
    [TestCase("--Connect:Attempts", "--attempts=3")]
    [TestCase("--Worker:w1:SocksPort", "--worker-w1-socks-port=9050")]
    public void Load_command_line_malformed_names_the_right_form(string meant, string argument) =>
        Assert.That(Loading.Join(Loading.Sources(arguments: [argument]).Errors), Does.EndWith($"; did you mean {meant}?"));

    [TestCase("command line: override 1 is not --Section:Key=value", "file.conf")]
    [TestCase("command line: override 1 is not --Section:Key=value", "--mode=random")]
    [TestCase("command line: override 2 is not --Section:Key=value", "--Log:Level=info", "-x")]
    [TestCase("command line: --Log:Level has no value", "--Log:Level")]
    [TestCase("command line: --Log:Level has no value", "--Log:Level", "--Log:Format=json")]
    public void Load_command_line_malformed_is_a_usage_error(string expected, params string[] arguments)
    {
        var result = Loading.Sources(arguments: arguments);

        Assert.That(Loading.Join(result.Errors), Does.StartWith(expected));
        Assert.That(result.HasUsageErrors, Is.True);
    }

    [Test]
    public void Load_command_line_wrong_value_is_no_usage_error()
    {
        var result = Loading.Sources(arguments: ["--Log:Level=loud"]);

        Assert.That(Loading.Join(result.Errors),
            Is.EqualTo("command line: [Log] Level = \"loud\" is not a level; allowed: trace, debug, info, warn, error"));
        Assert.That(result.HasUsageErrors, Is.False);
    }

    [Test]
    public void Load_relative_paths_start_at_the_file_or_the_working_directory()
    {
        const string Conf = "[Log]\nFile = a.log\n[ManagedWorkers]\nDataDirectory = ~/data";
        var files = new FakeFiles { Texts = { ["/etc/tb/x.conf"] = Conf, ["/wd/x.rc"] = "" } };
        var result = Loading.Sources(environment: new() { ["HOME"] = "/home/ann" }, arguments: ["--ManagedWorkers:ExtraTorrc=x.rc"],
            files: files, path: "/etc/tb/x.conf");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Log.File, Is.EqualTo("/etc/tb/a.log"));
        Assert.That(result.Options.ManagedWorkers.DataDirectory, Is.EqualTo("/home/ann/data"));
        Assert.That(result.Options.ManagedWorkers.ExtraTorrc, Is.EqualTo("/wd/x.rc"));
    }
}
