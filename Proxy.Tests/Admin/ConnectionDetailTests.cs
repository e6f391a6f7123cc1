using System.Net;
using System.Text.Json;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;


namespace TorBalancer.Tests.Admin;

/// <summary>GET and DELETE /api/v1/connections/{id}.</summary>
public sealed class ConnectionDetailTests
{
    [Test, CancelAfter(30_000)]
    public async Task Attempts_are_told_live_and_after_the_end(CancellationToken token)
    {
        await using var bad = new FakeTorWorker { Reply = static _ => 1 };
        await using var good = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(bad, good);
        var client = await admin.Proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token, "mode-failover", ""))[1], Is.Zero);
        string id = (await OnlyAsync(admin, token)).GetProperty("id").GetString()!;
        var live = await admin.GetAsync($"/api/v1/connections/{id}", token);
        Assert.That(live.GetProperty("state").GetString(), Is.EqualTo("open"));
        Assert.That(live.GetProperty("worker").GetString(), Is.EqualTo("worker-02"));
        Assert.That(live.GetProperty("route").GetString(), Is.EqualTo("socks"));
        Assert.That(live.TryGetProperty("ended_ms_ago", out _), Is.False);
        Assert.That(Attempts(live), Is.EqualTo(new[] { "worker-01 failed general_failure", "worker-02 succeeded " }));

        await client.DisposeAsync();
        var ended = await UntilAsync(admin, id, "ended", token);
        Assert.That(Attempts(ended), Is.EqualTo(new[] { "worker-01 failed general_failure", "worker-02 succeeded " }));
        Assert.That(ended.GetProperty("cause").GetString(), Is.EqualTo("ok"));
        Assert.That(ended.GetProperty("end").GetString(), Is.EqualTo("finished").Or.EqualTo("client_reset"));
        Assert.That(ended.GetProperty("ended_ms_ago").GetInt64(), Is.Not.Negative);
    }

    [Test, CancelAfter(30_000)]
    public async Task Connection_that_is_being_made_says_whom_it_waits_for_and_can_be_closed(CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        await using var slow = new FakeTorWorker { ReplyGate = gate.Task };
        await using var admin = await AdminUnderTest.StartAsync(slow);
        await using var client = await admin.Proxy.ConnectAsync();
        await SocksClient.GreetAsync(client, null, null, token);
        string id = (await OnlyAsync(admin, token)).GetProperty("id").GetString()!;
        Assert.That((await UntilAsync(admin, id, "handshake", token)).GetProperty("attempts").GetArrayLength(), Is.Zero);
        await client.WriteAsync(SocksClient.Request("a.example", 80), token);
        var waiting = await UntilAsync(admin, id, "connecting", token);
        Assert.That(Attempts(waiting), Is.EqualTo(new[] { "worker-01 under_way " }));
        Assert.That(waiting.GetProperty("worker").GetString(), Is.EqualTo("worker-01"));

        var closed = await AdminUnderTest.ReadAsync(
            await admin.Client.DeleteAsync($"{admin.Base}/api/v1/connections/{id}", token), HttpStatusCode.OK, token);
        Assert.That(closed.GetProperty("state").GetString(), Is.EqualTo("connecting"));
        var ended = await UntilAsync(admin, id, "ended", token);
        Assert.That(ended.GetProperty("cause").GetString(), Is.EqualTo("closed_by_operator"));
        Assert.That(Attempts(ended), Is.EqualTo(new[] { "worker-01 given_up " }));
        gate.SetResult();
    }

    /// <summary>Requests in absolute form go where they like; the latest is what is shown, as with the attempts.</summary>
    [Test, CancelAfter(30_000)]
    public async Task Target_of_an_HTTP_connection_is_that_of_its_latest_request(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = static request => (byte)(request.Host == "b.example" ? 4 : 0) };
        new HttpScript().On("a.example/", HttpScript.Answer("a")).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], static options => options.Log.Targets = true);
        await using var client = await admin.Proxy.ConnectAsync();
        string id = "";
        foreach (string host in (string[])["a.example", "b.example"])
        {
            await client.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"), token);
            JsonElement one;
            do
            {
                one = await OnlyAsync(admin, token);
            }
            while (!one.TryGetProperty("target", out var target) || target.GetString() != $"{host}:80");
            id = one.GetProperty("id").GetString()!;
        }

        string[] failed = ["worker-01 failed host_unreachable"];
        while (!Attempts(await admin.GetAsync($"/api/v1/connections/{id}", token)).SequenceEqual(failed))
            await Task.Delay(10, token);
        await client.DisposeAsync();
        var ended = await UntilAsync(admin, id, "ended", token);
        Assert.That(ended.GetProperty("target").GetString(), Is.EqualTo("b.example:80"));
        Assert.That(Attempts(ended), Is.EqualTo(failed));
    }

    [Test, CancelAfter(30_000)]
    public async Task Tunnel_is_closed_once_and_only_that_one(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        await using var other = await admin.Proxy.ConnectAsync();
        await SocksClient.RequestAsync(other, "other.example", 80, token);
        string kept = (await OnlyAsync(admin, token)).GetProperty("id").GetString()!;
        await using var client = await admin.Proxy.ConnectAsync();
        await SocksClient.RequestAsync(client, "a.example", 80, token);
        string id = (await admin.GetAsync("/api/v1/connections?worker=worker-01", token)).GetProperty("connections").EnumerateArray()
            .Select(static one => one.GetProperty("id").GetString()!).Single(one => one != kept);
        await AdminUnderTest.ReadAsync(
            await admin.Client.DeleteAsync($"{admin.Base}/api/v1/connections/{id}", token), HttpStatusCode.OK, token);
        var ended = await UntilAsync(admin, id, "ended", token);
        Assert.That(ended.GetProperty("end").GetString(), Is.EqualTo("aborted"));
        var again = await AdminUnderTest.ReadAsync(
            await admin.Client.DeleteAsync($"{admin.Base}/api/v1/connections/{id}", token), HttpStatusCode.NotFound, token);
        Assert.That(again.GetProperty("detail").GetString(), Does.Contain("has ended already"));
        Assert.That((await OnlyAsync(admin, token)).GetProperty("id").GetString(), Is.EqualTo(kept));
        Assert.That(
            admin.Events.Read(0, 100, out _).Select(static one => one.Kind), Does.Contain("connection_closed"));
        foreach (string unknown in (string[])["c999999", "nonsense", "c-1", "c"])
        {
            await AdminUnderTest.ReadAsync(
                await admin.Client.GetAsync($"{admin.Base}/api/v1/connections/{unknown}", token), HttpStatusCode.NotFound, token);
        }
    }

    [Test, CancelAfter(30_000)]
    public async Task Hedge_that_lost_is_told_as_given_up(CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        await using var slow = new FakeTorWorker { ReplyGate = gate.Task };
        await using var good = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([slow.EndPoint, good.EndPoint], static options =>
        {
            options.Connect.Hedge = new HedgeOptions(HedgeKind.After, TimeSpan.FromMilliseconds(50));
            options.Balancing.Mode = "failover";
        });
        await using var client = await admin.Proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.Zero);
        string id = (await OnlyAsync(admin, token)).GetProperty("id").GetString()!;
        Assert.That(
            Attempts(await admin.GetAsync($"/api/v1/connections/{id}", token)),
            Is.EqualTo(new[] { "worker-01 given_up ", "worker-02 succeeded " }));
        gate.SetResult();
    }

    [Test, CancelAfter(60_000)]
    public async Task Only_the_latest_that_ended_are_kept(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync([]);
        const int Most = TorBalancer.Server.ConnectionRegistry.MaxRecent;
        await ConnectAsync();
        await UntilEndedAsync("c1");
        for (int i = 0; i < Most; i++)
            await ConnectAsync();
        await UntilEndedAsync($"c{Most + 1}");
        await AdminUnderTest.ReadAsync(
            await admin.Client.GetAsync($"{admin.Base}/api/v1/connections/c1", token), HttpStatusCode.NotFound, token);
        Assert.That((await admin.GetAsync("/api/v1/connections/c1000", token)).GetProperty("state").GetString(), Is.EqualTo("ended"));

        async Task ConnectAsync()
        {
            await using var client = await admin.Proxy.ConnectAsync();
            client.Socket.LingerState = new(true, 0);
        }

        // It may not be accepted yet, and then none is open either.
        async Task UntilEndedAsync(string id)
        {
            while ((await admin.Client.GetAsync($"{admin.Base}/api/v1/connections/{id}", token)).StatusCode != HttpStatusCode.OK
                || admin.Proxy.Server.Connections.Count > 0)
            {
                await Task.Delay(5, token);
            }
        }
    }

    private static IEnumerable<string> Attempts(JsonElement connection) =>
        connection.GetProperty("attempts").EnumerateArray().Select(static one =>
            $"{one.GetProperty("worker").GetString()} {one.GetProperty("outcome").GetString()} "
            + (one.TryGetProperty("cause", out var cause) ? cause.GetString() : ""));

    private static async Task<JsonElement> OnlyAsync(AdminUnderTest admin, CancellationToken token) =>
        (await admin.GetAsync("/api/v1/connections", token)).GetProperty("connections").EnumerateArray().Single();

    private static async Task<JsonElement> UntilAsync(AdminUnderTest admin, string id, string state, CancellationToken token)
    {
        while (true)
        {
            var connection = await admin.GetAsync($"/api/v1/connections/{id}", token);
            if (connection.GetProperty("state").GetString() == state)
                return connection;
            await Task.Delay(10, token);
        }
    }
}
