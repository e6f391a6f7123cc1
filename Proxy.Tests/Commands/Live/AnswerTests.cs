using TorBalancer.Daemon.Client;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands.Live;

/// <summary>What the commands make of answers, those above all that a healthy daemon does not give.</summary>
[CancelAfter(60_000)]
public class AnswerTests
{
    private ScriptedAdmin _admin = null!;

    [SetUp]
    public async Task StartAsync() => _admin = await ScriptedAdmin.StartAsync();

    [TearDown]
    public async Task StopAsync() => await _admin.DisposeAsync();

    [Test]
    public async Task Explain_target_asks_for_all_that_was_said_and_shows_the_rule_and_the_odds()
    {
        _admin.Answers["GET /api/v1/explain?target=example.com%3A443&client=10.0.0.9&user=session-a&listener=lan&mode=random"] = (200, """
            {"target":"example.com:443","listener":"lan","client":"10.0.0.9","route":"socks","rule":"web","mode":"random",
             "mode_from":"request","isolation":"client","kept_apart_by":["listener","client","user"],"session":"a","fresh":true,
             "last_resort":false,"candidates":[
             {"worker":"worker-01","eligible":true,"why":"healthy","odds":0.3333,"route":"socks","state":"HEALTHY",
              "administrative":"enabled","weight":1,"connections":3,"connect_ms":210.5,"clean_circuits":2},
             {"worker":"worker-02","eligible":false,"why":"draining","odds":0,"route":"socks","state":"HEALTHY","administrative":"draining",
              "weight":1,"connections":0}],"chosen":null}
            """);

        var run = await _admin.RunAsync(
            "explain", "example.com:443", "--client", "10.0.0.9", "--user", "session-a", "--listener", "lan", "--mode", "random");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Output, Does.Contain("route      socks ([Rule:web])").And.Contain("mode       random (of the request)")
            .And.Contain("kept apart by listener, client, user").And.Contain("chosen     chance decides, by these odds"));
        Assert.That(run.Row("worker-01")[..4], Is.EqualTo(new[] { "worker-01", "33.33 %", "healthy", "HEALTHY" }), run.Output);
        Assert.That(run.Row("worker-02")[..4], Is.EqualTo(new[] { "worker-02", "0 %", "draining", "HEALTHY draining" }));
    }

    [Test]
    public async Task Explain_of_what_is_refused_has_no_empty_table()
    {
        _admin.Answers["GET /api/v1/explain?target=a%3A1"] = (200, """
            {"target":"a:1","listener":"main","client":"127.0.0.1","route":"auto","mode":"random","isolation":"client",
             "candidates":[],"chosen":null,"error":{"cause":"bad_user_parameters","message":"parameter 'session' has no value"}}
            """);

        var run = await _admin.RunAsync("explain", "a:1");

        Assert.That(run.Output, Does.EndWith("refused    bad_user_parameters: parameter 'session' has no value\n"));
    }

    [Test]
    public async Task Status_shows_who_leaves_and_in_json_all_that_health_says()
    {
        _admin.Answers["GET /api/v1/health"] = (200, """
            {"ready":true,"stage":"serving","summary":"ready: 1 of 2 workers may carry connections","healthy_workers":2,
             "available_workers":1,"total_workers":2,"workers":{"a":{}},"discovery":{"workers":2,"problem":"no answer","at":"x"}}
            """);
        _admin.Answers["GET /api/v1/workers"] = (200, """
            {"workers":[{"id":"a","health":{"state":"HEALTHY","administrative":"leaving","connections":3}},
             {"id":"b","health":{"state":"HEALTHY","administrative":"enabled","connections":1}}]}
            """);
        _admin.Answers["GET /api/v1/blacklist"] = (200, """{"relays":[]}""");

        var run = await _admin.RunAsync("status");
        using var json = System.Text.Json.JsonDocument.Parse((await _admin.RunAsync("status", "--json")).Output);

        Assert.That(run.Row("a")[..3], Is.EqualTo(new[] { "a", "HEALTHY leaving", "3" }), run.Output);
        Assert.That(run.Output, Does.Contain("discovery: no answer"));
        Assert.That(
            json.RootElement.EnumerateObject().Select(static one => one.Name),
            Is.EqualTo(new[]
            {
                "admin", "ready", "stage", "summary", "healthy_workers", "available_workers", "total_workers", "discovery", "workers",
                "blacklist",
            }));
        Assert.That(json.RootElement.GetProperty("workers").GetArrayLength(), Is.EqualTo(2));
    }

    /// <summary>Shells expand the words that they are given, and anybody may be who answers at the default port.</summary>
    [Test]
    public async Task Words_are_of_what_an_id_is_made_of_only()
    {
        _admin.Answers["GET /api/v1/workers"] = (200, """
            {"workers":[{"id":"$(id>/tmp/x)"},{"id":"worker-01"},{"id":"a b"},{"id":"`id`"},{"id":"\u001b[2J"},{"id":""}]}
            """);

        var run = await _admin.RunAsync("words", "workers");

        Assert.That((run.Code, run.Output), Is.EqualTo((0, "worker-01\n")));
    }

    [Test]
    public async Task Problems_cannot_write_to_the_terminal()
    {
        _admin.Answers["POST /api/v1/workers/a/drain"] = (409, """{"detail":"\u001b]0;x\u0007\u001b[2Jall is well"}""");

        var run = await _admin.RunAsync("drain", "a");

        Assert.That(run.Code, Is.EqualTo(ExitCodes.Failed));
        Assert.That(run.Error, Does.Contain("all is well").And.Not.Contain("\u001b"));
    }

    [Test]
    public async Task Explain_connection_shows_attempts_and_the_circuit()
    {
        _admin.Answers["GET /api/v1/connections/c12.3"] = (200, """
            {"id":"c12.3","state":"ended","listener":"main","protocol":"http","target":"(name):443","worker":"worker-01","route":"socks",
             "attempts":[
             {"worker":"worker-02","outcome":"failed","cause":"worker_refused","message":"Nothing listens there.",
              "began_ms":3,"took_ms":12},
             {"worker":"worker-01","outcome":"succeeded","began_ms":15,"took_ms":210}],
             "circuit":{"id":"17","path":["$A~g","$B~m","$C~e"]},"exit":"$C~e",
             "cause":"none","end":"finished","started":"2026-11-29T04:40:00.123+00:00","connect_ms":225,"age_ms":61000,"ended_ms_ago":5000,
             "bytes_sent":100,"bytes_received":2048}
            """);

        var run = await _admin.RunAsync("explain", "c12.3");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Output, Does.Contain("circuit    17: $A~g -> $B~m -> $C~e").And.Contain("took 1m 01s, ended 5.0 s ago")
            .And.Contain("end        finished").And.Contain("connected  in 225 ms").And.Not.Contain("cause  "));
        Assert.That(run.Row("1"), Is.EqualTo(new[] { "1", "worker-02", "3 ms", "12 ms", "worker_refused: Nothing listens there." }));
        Assert.That(run.Row("2"), Is.EqualTo(new[] { "2", "worker-01", "15 ms", "210 ms", "ok" }));
    }

    [Test]
    public async Task Refusals_say_what_is_allowed_and_end_with_1()
    {
        _admin.Answers["GET /api/v1/explain?target=a%3A1&mode=best"] = (400, """
            {"title":"Bad Request","status":400,"detail":"mode is no balancing mode","field":"mode","allowed":["random","sticky"]}
            """);

        var run = await _admin.RunAsync("explain", "a:1", "--mode", "best");

        Assert.That(run, Is.EqualTo(
            new CommandRun(ExitCodes.Failed, "", "torbalancer explain: mode is no balancing mode; allowed: random, sticky\n")));
    }

    [Test]
    public async Task Token_is_sent_and_one_that_lacks_is_3_with_what_to_do()
    {
        _admin.Answers["GET /api/v1/sessions"] = (401, """{"title":"Unauthorized","status":401,"detail":"no token"}""");
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "s3cret\nmade by openssl rand\n");

            var run = await _admin.RunAsync("sessions", "--token-file", file);

            Assert.That(run.Code, Is.EqualTo(ExitCodes.NoDaemon));
            Assert.That(run.Error, Does.Contain("asks for a token").And.Contain("--token-file").And.Contain("TORBALANCER_ADMIN_TOKEN"));
            Assert.That(_admin.Requests.Single().Token, Is.EqualTo("Bearer s3cret"));
            await File.WriteAllTextAsync(file, "\n");
            Assert.That((await _admin.RunAsync("sessions", "--token-file", file)).Error, Does.Contain("holds no token"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public async Task Reload_shows_what_changed_and_what_needs_a_restart()
    {
        _admin.Answers["POST /api/v1/reload"] = (200, """
            {"changed":[{"section":"Balancing","key":"Mode","old":"random","new":"sticky"},
             {"section":"Worker:w2","key":"SocksPort","old":null,"new":"9052"}],
             "restart_needed":[{"section":"Engine","key":"Loops","old":"0","new":"4"}]}
            """);

        var run = await _admin.RunAsync("reload");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Lines, Is.EqualTo(new[]
        {
            "changed: [Balancing] Mode: random -> sticky", "changed: [Worker:w2] SocksPort: (not there) -> 9052",
            "needs a restart: [Engine] Loops: 0 -> 4",
        }));
    }

    [Test]
    public async Task Reload_that_is_refused_is_1_with_every_mistake()
    {
        _admin.Answers["POST /api/v1/reload"] = (422, """
            {"title":"Unprocessable Content","status":422,"detail":"…","errors":[
             {"message":"Mode = \"x\" is no mode","origin":"/etc/t.conf:3"},
             {"message":"SocksPort = \"y\" is no port","origin":"/etc/t.conf:9"}]}
            """);

        var run = await _admin.RunAsync("reload");

        Assert.That((run.Code, run.Output), Is.EqualTo((ExitCodes.Failed, "")));
        Assert.That(run.Error, Is.EqualTo(
            "/etc/t.conf:3: Mode = \"x\" is no mode\n/etc/t.conf:9: SocksPort = \"y\" is no port\n"
                + "torbalancer reload: nothing was changed; the daemon goes on with what it had\n"));
    }

    [Test]
    public async Task Worker_is_added_with_the_keys_of_the_configuration()
    {
        _admin.Answers["POST /api/v1/workers"] = (201, """{"id":"w5","address":"10.0.0.5:9050","weight":2}""");

        var run = await _admin.RunAsync("worker", "add", "w5", "Address=10.0.0.5", "SocksPort=9050", "--save");

        Assert.That((run.Code, run.Output, run.Error), Is.EqualTo((0, "w5 is added at 10.0.0.5:9050; saved\n", "")));
        Assert.That(
            _admin.Requests.Single().Body, Is.EqualTo("""{"id":"w5","address":"10.0.0.5","socks_port":"9050","save":true}"""));
    }

    [Test]
    public async Task Worker_is_weighed_and_removed()
    {
        _admin.Answers["PATCH /api/v1/workers/w5"] = (200, """{"id":"w5","weight":7}""");
        _admin.Answers["DELETE /api/v1/workers/w5"] = (200, """{"id":"w5","health":{"connections":2}}""");

        Assert.That((await _admin.RunAsync("worker", "weight", "w5", "7")).Output, Is.EqualTo("w5 has weight 7, until the next reload\n"));
        Assert.That((await _admin.RunAsync("worker", "weight", "w5", "0")).Code, Is.EqualTo(ExitCodes.Usage));
        Assert.That(
            (await _admin.RunAsync("worker", "remove", "w5")).Output,
            Is.EqualTo("w5 takes no more connections, and goes when 2 connections on it have ended, until the next reload\n"));
        Assert.That((await _admin.RunAsync("worker", "remove", "w6")).Code, Is.EqualTo(ExitCodes.Unknown));
    }

    [Test]
    public async Task Blacklist_is_listed_and_cleared()
    {
        _admin.Answers["GET /api/v1/blacklist"] = (200, """
            {"relays":[{"relay":"$AA~bad","fingerprint":"AA","nickname":"bad","worker":"worker-01","why":"3 failures","expires_ms":120000,
             "in_force":true}]}
            """);
        _admin.Answers["DELETE /api/v1/blacklist?relay=AA"] = (200, """{"removed":1}""");
        _admin.Answers["DELETE /api/v1/blacklist"] = (200, """{"removed":3}""");

        Assert.That(
            (await _admin.RunAsync("blacklist")).Row("bad"), Is.EqualTo(new[] { "bad", "AA", "worker-01", "2m 00s", "yes", "3 failures" }));
        Assert.That((await _admin.RunAsync("blacklist", "clear", "AA")).Output, Is.EqualTo("1 exit may be used again\n"));
        Assert.That((await _admin.RunAsync("blacklist", "clear")).Output, Is.EqualTo("3 exits may be used again\n"));
        Assert.That((await _admin.RunAsync("blacklist", "clear", "BB")).Code, Is.EqualTo(ExitCodes.Unknown));
    }

    [Test]
    public async Task Events_are_shown_a_line_each()
    {
        _admin.Answers["GET /api/v1/events?recent=50&follow=no"] = (200, """
            id: r-1
            event: worker_state
            data: {"id":"r-1","time":"2026-11-29T04:40:00Z","event":"worker_state","level":"warning","message":"Worker a: \u001b[2J down"}

            : keep-alive

            """ + "\n");

        var run = await _admin.RunAsync("events");
        var json = await _admin.RunAsync("events", "--json");

        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Lines.Single(), Does.EndWith(" worker_state       Worker a: \\u001b[2J down"));
        Assert.That(json.Lines.Single(), Does.StartWith("""{"id":"r-1","time":"""));
    }

    [TestCase("status", 200, "[]"), TestCase("status", 200, """{"workers":3}"""), TestCase("connections", 200, """{"connections":{}}""")]
    [TestCase("sessions", 200, """{"sessions":[{"id":7,"age_ms":"x"}]}"""), TestCase("blacklist", 200, "null")]
    public async Task Answers_of_another_kind_break_nothing(string command, int status, string body)
    {
        foreach (string path in (string[])["health", "workers", "connections", "sessions", "blacklist", "config"])
            _admin.Answers[$"GET /api/v1/{path}"] = (status, body);

        Assert.That((await _admin.RunAsync(command)).Code, Is.Zero);
    }

    [TestCase(200, "<html>"), TestCase(503, ""), TestCase(500, """{"detail":"an internal error"}""")]
    public async Task What_is_no_answer_is_an_error_in_words(int status, string body)
    {
        _admin.Answers["GET /api/v1/sessions"] = (status, body);

        var run = await _admin.RunAsync("sessions");

        Assert.That(run.Code, Is.AnyOf(ExitCodes.Failed, ExitCodes.NoDaemon));
        Assert.That(run.Error, Does.StartWith("torbalancer sessions: "));
    }
}
