using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Admin;

/// <summary>GET /api/v1/explain against what the next connection does, over real HTTP and SOCKS.</summary>
public sealed class ExplainTests
{
    [TestCase(SelectionPolicyNames.RoundRobin)]
    [TestCase(SelectionPolicyNames.Sticky)]
    [TestCase(SelectionPolicyNames.LeastConnections)]
    [TestCase(SelectionPolicyNames.Failover)]
    [CancelAfter(60_000)]
    public async Task Certain_worker_carries_the_next_connection(string mode, CancellationToken token)
    {
        await using var a = new FakeTorWorker();
        await using var b = new FakeTorWorker();
        await using var c = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(
            [a.EndPoint, b.EndPoint, c.EndPoint], options => options.Balancing.Mode = mode);
        var random = new Random(7);
        string[] users = ["", "anna", "session-s1", "session-s2-rotate-2", "mode-failover", "worker-worker-02", "berta-x"];
        for (int i = 0; i < 30; i++)
        {
            string user = users[random.Next(users.Length)];
            string host = $"host{random.Next(5)}.example";
            if (i % 7 == 3)
                await admin.PostAsync($"/api/v1/workers/worker-0{random.Next(1, 4)}/{(random.Next(2) == 0 ? "drain" : "enable")}", token);
            var answer = await ExplainAsync(admin, $"target={host}:80" + (user.Length > 0 ? $"&user={user}" : ""), token);
            string? chosen = answer.GetProperty("chosen").GetString();
            await using var client = await admin.Proxy.ConnectAsync();
            byte[] reply = await SocksClient.RequestAsync(client, host, 80, token, user.Length > 0 ? user : null, "");
            if (chosen is null)
            {
                Assert.That(reply[1], Is.Not.Zero, $"{i} {user}: {answer}");
                Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("no_worker_available"));
                continue;
            }

            Assert.That(reply[1], Is.Zero);
            var connection = (await admin.GetAsync("/api/v1/connections", token)).GetProperty("connections").EnumerateArray().Single();
            Assert.That(connection.GetProperty("worker").GetString(), Is.EqualTo(chosen), $"{i} {user}: {answer}");
            client.Close();
            await NoConnectionAsync(admin, token);
        }
    }

    [Test, CancelAfter(30_000)]
    public async Task Question_changes_nothing_for_sessions_and_turns(CancellationToken token)
    {
        await using var a = new FakeTorWorker();
        await using var b = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(a, b);
        for (int i = 0; i < 5; i++)
        {
            var answer = await ExplainAsync(admin, "target=x.example:443&user=session-q-rotate-1", token);
            Assert.That(answer.GetProperty("mode").GetString(), Is.EqualTo("sticky"));
            Assert.That(answer.GetProperty("mode_from").GetString(), Is.EqualTo("session"));
            Assert.That(answer.GetProperty("session").GetString(), Is.EqualTo("q"));
            Assert.That(answer.GetProperty("sticky_by").GetString(), Is.EqualTo("session"));
            Assert.That(
                (await ExplainAsync(admin, "target=x.example:443", token)).GetProperty("chosen").GetString(), Is.EqualTo("worker-01"));
        }

        Assert.That((await admin.GetAsync("/api/v1/sessions", token)).GetProperty("sessions").EnumerateArray(), Is.Empty);
        Assert.That(a.Accepted + b.Accepted, Is.Zero);
        Assert.That(admin.Proxy.Pool.Snapshot.All.Select(static worker => worker.TotalConnections), Is.All.Zero);
    }

    [Test, CancelAfter(30_000)]
    public async Task Answer_says_why_each_worker_is_or_is_not_eligible(CancellationToken token)
    {
        IReadOnlyList<WorkerModel> models =
        [
            new("w-de", new IPEndPoint(IPAddress.Loopback, 1), Country: "de"),
            new("w-us", new IPEndPoint(IPAddress.Loopback, 2), Country: "us"),
            new("w-dead", new IPEndPoint(IPAddress.Loopback, 3), 3, "de"), new("w-drained", new IPEndPoint(IPAddress.Loopback, 4), 1, "de"),
        ];
        await using var admin = await AdminUnderTest.StartAsync([]);
        admin.Proxy.Pool.Apply(models);
        admin.Proxy.Pool.SetOperational(admin.Proxy.Pool.Find("w-dead")!, WorkerOperationalState.Dead, "3 failures");
        await admin.PostAsync("/api/v1/workers/w-drained/drain", token);

        var answer = await ExplainAsync(admin, "target=x.example:443&user=country-de&mode=random&client=192.0.2.1&listener=MAIN", token);
        Assert.That(answer.GetProperty("route").GetString(), Is.EqualTo("socks"));
        Assert.That(
            answer.GetProperty("route_why").GetString(), Does.StartWith("[Route] Clearnet = auto; [Route] Isolated = socks"),
            "it has a user");
        Assert.That(answer.GetProperty("isolation").GetString(), Is.EqualTo("client"));
        Assert.That(
            answer.GetProperty("kept_apart_by").EnumerateArray().Select(static one => one.GetString()),
            Is.EqualTo(new[] { "listener", "client", "user" }));
        Assert.That(answer.GetProperty("mode").GetString(), Is.EqualTo("random"));
        Assert.That(answer.GetProperty("mode_from").GetString(), Is.EqualTo("request"));
        Assert.That(answer.GetProperty("client").GetString(), Is.EqualTo("192.0.2.1"));
        Assert.That(answer.GetProperty("chosen").GetString(), Is.EqualTo("w-de"), "the only one that is left");
        Assert.That(Candidate(answer, "w-de"), Is.EqualTo((true, "healthy", 1.0)));
        Assert.That(Candidate(answer, "w-us"), Is.EqualTo((false, "not of country de", 0.0)));
        Assert.That(Candidate(answer, "w-dead"), Is.EqualTo((false, "dead: 3 failures", 0.0)));
        Assert.That(Candidate(answer, "w-drained"), Is.EqualTo((false, "draining", 0.0)));

        await admin.PostAsync("/api/v1/workers/w-drained/enable", token);
        admin.Proxy.Pool.SetOperational(admin.Proxy.Pool.Find("w-dead")!, WorkerOperationalState.Healthy, "");
        answer = await ExplainAsync(admin, "target=x.example:443&user=country-de&mode=random", token);
        Assert.That(answer.GetProperty("chosen").ValueKind, Is.EqualTo(JsonValueKind.Null), "chance decides, and the member is there");
        Assert.That(Candidate(answer, "w-de").Odds, Is.EqualTo(0.2).Within(1e-9));
    }

    [Test, CancelAfter(30_000)]
    public async Task Route_and_the_rule_that_decided_are_named(CancellationToken token)
    {
        await using var a = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([a.EndPoint], static options =>
        {
            var rule = new RuleOptions { Name = "ads", Route = RuleRoute.Reject };
            rule.Domains.Add("ads.example");
            options.Route.Rules.Add(rule);
        });
        var answer = await ExplainAsync(admin, "target=x.ads.example:443", token);
        Assert.That(answer.GetProperty("route").GetString(), Is.EqualTo("reject"));
        Assert.That(answer.GetProperty("rule").GetString(), Is.EqualTo("ads"));
        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("route_rejected"));
        Assert.That(answer.GetProperty("candidates").EnumerateArray(), Is.Empty);
        Assert.That(answer.GetProperty("chosen").ValueKind, Is.EqualTo(JsonValueKind.Null));

        answer = await ExplainAsync(admin, "target=x.example:443", token);
        Assert.That(answer.GetProperty("route").GetString(), Is.EqualTo("auto"));
        Assert.That(answer.GetProperty("route_why").GetString(), Is.EqualTo("[Route] Clearnet = auto"));
        answer = await ExplainAsync(admin, "target=192.168.1.1:80", token);
        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("private_target"));
        answer = await ExplainAsync(admin, "target=duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion:80", token);
        Assert.That(answer.GetProperty("route").GetString(), Is.EqualTo("socks"));
        answer = await ExplainAsync(admin, "target=x.example:80&user=session-a-session-b", token);
        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("bad_user_parameters"));
    }

    [TestCase("", "target")]
    [TestCase("?target=nowhere", "target")]
    [TestCase("?target=a.example:0", "target")]
    [TestCase("?target=a.example:80&listener=other", "listener")]
    [TestCase("?target=a.example:80&mode=fastst", "mode")]
    [TestCase("?target=a.example:80&client=localhost", "client")]
    [TestCase("?target=a.example:80&client=1.2.3", "client")]
    [TestCase("?target=a.example:80&client=0x7f.1", "client")]
    [TestCase("?target=a.example:80&client=[::1]:80", "client")]
    [TestCase("?target=a.example:80&usr=x", "usr")]
    [CancelAfter(30_000)]
    public async Task Wrong_question_is_told_what_is_wrong(string query, string field, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync([]);
        var response = await admin.Client.GetAsync(admin.Base + "/api/v1/explain" + query, token);
        var problem = await AdminUnderTest.ReadAsync(response, HttpStatusCode.BadRequest, token);
        Assert.That(problem.GetProperty("field").GetString(), Is.EqualTo(field));
    }

    /// <summary>Of a listener whose ports are sessions each port is asked about by itself, and has what its next connection has.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Port_that_is_a_session_has_the_worker_that_it_is_told(CancellationToken token)
    {
        var address = FreePort.OwnAddress();
        await using FakeTorWorker a = new(), b = new(), c = new();
        await using var admin = await AdminUnderTest.StartAsync([a.EndPoint, b.EndPoint, c.EndPoint], options =>
        {
            options.Balancing.Mode = SelectionPolicyNames.RoundRobin;
            options.Listeners.Add(new ListenerOptions
            {
                Name = "ports",
                Address = new IPEndPoint(address, 20000),
                LastPort = 20011,
                Session = ListenerSession.Port,
            });
        });
        var workers = new HashSet<string?>();
        for (int port = 20000; port <= 20011; port++)
        {
            var answer = await ExplainAsync(admin, $"target=x.example:80&listener=PORTS:{port}", token);
            string? chosen = answer.GetProperty("chosen").GetString();
            Assert.That(
                (answer.GetProperty("listener").GetString(), answer.GetProperty("port").GetInt32(),
                    answer.GetProperty("session").GetString()),
                Is.EqualTo(("ports", port, $"port_{port}")));
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(address, port), token);
            await using var stream = new NetworkStream(socket);
            Assert.That((await SocksClient.RequestAsync(stream, "x.example", 80, token))[1], Is.Zero);
            var connection = (await admin.GetAsync("/api/v1/connections", token)).GetProperty("connections").EnumerateArray().Single();
            Assert.That(connection.GetProperty("worker").GetString(), Is.EqualTo(chosen), $"{port}");
            workers.Add(chosen);
            socket.Close();
            await NoConnectionAsync(admin, token);
        }

        Assert.That(workers, Has.Count.GreaterThan(1), "one port's answer is not another's");
        var first = await ExplainAsync(admin, "target=x.example:80&listener=ports", token);
        Assert.That(first.GetProperty("session").GetString(), Is.EqualTo("port_20000"), "where none is named");
        var main = await ExplainAsync(admin, "target=x.example:80&listener=main", token);
        Assert.That(main.TryGetProperty("port", out _), Is.False);

        foreach (var (listener, said) in ((string, string)[])[
            ("ports:20012", "listener ports has the ports 20000 to 20011, as in ports:20000"),
            ("ports:x", "listener ports has the ports 20000 to 20011"), ("ports:", "listener ports has the ports 20000 to 20011"),
            ("ports:+20001", "listener ports has the ports 20000 to 20011"), ("main:1080", "listener main has no ports that are sessions"),
            ("other:20000", "there is no such listener")])
        {
            var response = await admin.Client.GetAsync(
                $"{admin.Base}/api/v1/explain?target=x.example:80&listener={Uri.EscapeDataString(listener)}", token);
            var problem = await AdminUnderTest.ReadAsync(response, HttpStatusCode.BadRequest, token);
            Assert.That(problem.GetProperty("field").GetString(), Is.EqualTo("listener"));
            Assert.That(problem.GetProperty("detail").GetString(), Does.StartWith(said), listener);
        }
    }

    private static (bool Eligible, string? Why, double Odds) Candidate(JsonElement answer, string worker)
    {
        var one = answer.GetProperty("candidates").EnumerateArray().Single(one => one.GetProperty("worker").GetString() == worker);
        return (one.GetProperty("eligible").GetBoolean(), one.GetProperty("why").GetString(), one.GetProperty("odds").GetDouble());
    }

    private static Task<JsonElement> ExplainAsync(AdminUnderTest admin, string query, CancellationToken token) =>
        admin.GetAsync("/api/v1/explain?" + query, token);

    private static async Task NoConnectionAsync(AdminUnderTest admin, CancellationToken token)
    {
        while (admin.Proxy.Server.Connections.Count > 0)
            await Task.Delay(5, token);
    }
}
