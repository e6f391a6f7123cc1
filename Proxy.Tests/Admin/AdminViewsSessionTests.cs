using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

public class AdminViewsSessionTests
{
    [Test, CancelAfter(30_000)]
    public async Task Rotating_a_session_gives_it_another_circuit_at_once_and_nobody_else(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        string first = await TokenAsync(admin, worker, "session-a", token), other = await TokenAsync(admin, worker, "session-b", token);
        Assert.That(await TokenAsync(admin, worker, "session-a", token), Is.EqualTo(first));

        var answer = await admin.PostAsync("/api/v1/sessions/a/rotate", token);

        Assert.That(answer.GetRawText(), Is.EqualTo("""{"rotated":1}"""));
        string second = await TokenAsync(admin, worker, "session-a", token);
        Assert.That(second, Is.Not.EqualTo(first));
        Assert.That(await TokenAsync(admin, worker, "session-b", token), Is.EqualTo(other));
        await admin.PostAsync("/api/v1/sessions/a/rotate", token);
        Assert.That(await TokenAsync(admin, worker, "session-a", token), Is.Not.EqualTo(first).And.Not.EqualTo(second));
    }

    [Test, CancelAfter(30_000)]
    public async Task Rotating_by_id_concerns_one_user_of_a_name(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        string anna = await TokenAsync(
            admin, worker, "user-anna-session-a", token), bob = await TokenAsync(admin, worker, "user-bob-session-a", token);
        var listed = (await admin.GetAsync("/api/v1/sessions", token)).GetProperty("sessions").EnumerateArray().ToArray();
        Assert.That(listed, Has.Length.EqualTo(2));

        // The most recently used one stands first: bob's.
        await admin.PostAsync($"/api/v1/sessions/{listed[0].GetProperty("id").GetString()}/rotate", token);

        Assert.That(await TokenAsync(admin, worker, "user-anna-session-a", token), Is.EqualTo(anna));
        Assert.That(await TokenAsync(admin, worker, "user-bob-session-a", token), Is.Not.EqualTo(bob));
        Assert.That((await admin.PostAsync("/api/v1/sessions/a/rotate", token)).GetProperty("rotated").GetInt32(), Is.EqualTo(2));
    }

    [TestCase(true)]
    [TestCase(false)]
    [CancelAfter(30_000)]
    public async Task Sessions_are_listed_and_named_only_where_targets_are(bool shown, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], options => options.Log.Targets = shown);
        await TokenAsync(admin, worker, "user-anna-session-abc-lifetime-10m-rotate-5", token);
        await TokenAsync(admin, worker, "user-anna-session-abc-lifetime-10m-rotate-5", token);

        var view = await admin.GetAsync("/api/v1/sessions", token);
        var session = view.GetProperty("sessions").EnumerateArray().Single();

        Assert.That(session.TryGetProperty("name", out var name), Is.EqualTo(shown));
        Assert.That(shown ? name.GetString() : "abc", Is.EqualTo("abc"));
        Assert.That(session.GetProperty("id").GetString(), Is.EqualTo("s-1"));
        Assert.That(session.GetProperty("worker").GetString(), Is.EqualTo("worker-01"));
        Assert.That((session.GetProperty("uses").GetInt32(), session.GetProperty("uses_left").GetInt32()), Is.EqualTo((2, 3)));
        Assert.That(session.GetProperty("expires_ms").GetInt64(), Is.InRange(1, 600_000));
        Assert.That(session.GetProperty("age_ms").GetInt64(), Is.GreaterThanOrEqualTo(session.GetProperty("idle_ms").GetInt64()));
        Assert.That(view.GetRawText(), Does.Not.Contain("anna").And.Not.Contain("secret"));
    }

    [Test, CancelAfter(30_000)]
    public async Task Unknown_session_is_404(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());

        var problem = await AdminUnderTest.ReadAsync(
            await admin.Client.PostAsync($"{admin.Base}/api/v1/sessions/nobody/rotate", null, token), HttpStatusCode.NotFound, token);

        Assert.That(problem.GetProperty("detail").GetString(), Is.EqualTo("no session is known as 'nobody'"));
        Assert.That((await admin.GetAsync("/api/v1/sessions", token)).GetRawText(), Is.EqualTo("""{"sessions":[]}"""));
    }

    [Test, CancelAfter(30_000)]
    public async Task Kept_http_connection_does_not_outlive_a_rotation(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Answer("a")).Behind(worker);
        worker.OnStream = ServeManyAsync;
        await using var admin = await AdminUnderTest.StartAsync(worker);
        using var client = new HttpClient(new SocketsHttpHandler
        {
            Proxy = new WebProxy($"http://{admin.Proxy.Address}") { Credentials = new NetworkCredential("session-a", "x") },
            MaxConnectionsPerServer = 1,
        });
        client.DefaultRequestHeaders.Add("Proxy-Authorization", "Basic " + Convert.ToBase64String("session-a:x"u8));
        for (int i = 0; i < 2; i++)
            Assert.That(await client.GetStringAsync("http://a.example/", token), Is.EqualTo("a"));
        Assert.That(worker.Requests, Has.Count.EqualTo(1), "the second request went over the kept connection");

        await admin.PostAsync("/api/v1/sessions/a/rotate", token);
        Assert.That(await client.GetStringAsync("http://a.example/", token), Is.EqualTo("a"));

        Assert.That(worker.Requests.Select(static request => request.Password).Distinct().Count(), Is.EqualTo(2));
    }

    private static async Task ServeManyAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        using var reader = new StreamReader(stream, leaveOpen: true);
        while (await reader.ReadLineAsync(token) is { } line)
        {
            if (line.Length == 0)
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"u8.ToArray(), token);
        }
    }

    /// <summary>The isolation token that the worker got for a connection of that user.</summary>
    private static async Task<string> TokenAsync(AdminUnderTest admin, FakeTorWorker worker, string user, CancellationToken token)
    {
        await using var stream = await admin.Proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token, user, "secret"))[1], Is.Zero);
        return worker.Requests.Last().Password!;
    }
}
