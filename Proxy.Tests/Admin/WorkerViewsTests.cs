using System.Net;
using System.Text.Json;
using TorBalancer.Health;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Admin;

public class WorkerViewsTests
{
    [Test, CancelAfter(30_000)]
    public async Task Health_is_what_the_documents_show(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(Enumerable.Repeat(worker.EndPoint, 4), static options =>
        {
            options.Health.FailureThreshold = 5;
            options.Health.RecoveryBackoff =
            [
                TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(9.95),
            ];
        });
        var pool = admin.Proxy.Pool;
        Fail(admin.Proxy, "worker-03", failures: 2, probes: 0);
        Fail(admin.Proxy, "worker-04", failures: 5, probes: 3);
        pool.SetOperational(pool.Find("worker-03")!, WorkerOperationalState.Suspect, "canary failed");
        pool.SetOperational(pool.Find("worker-04")!, WorkerOperationalState.Recovery, "");
        pool.SetAdministrative(pool.Find("worker-02")!, WorkerAdministrativeState.Draining);

        var health = await admin.GetAsync("/api/v1/health", token);

        Assert.That(health.GetRawText(), Is.EqualTo("""
            {"ready":true,"stage":"serving","summary":"ready: 2 of 4 workers may carry connections",
            "healthy_workers":3,"available_workers":2,"total_workers":4,"workers":{
            "worker-01":{"state":"HEALTHY","administrative":"enabled","connections":0,"success_rate":1,"failures":0},
            "worker-02":{"state":"HEALTHY","administrative":"draining","connections":0,"success_rate":1,"failures":0},
            "worker-03":{"state":"SUSPECT","administrative":"enabled","reason":"canary failed","connections":0,"success_rate":1,"failures":2},
            "worker-04":{"state":"RECOVERY","administrative":"enabled","connections":0,"success_rate":1,"failures":5,"backoff_index":3,"next_retry":"10s"}}}
            """.Replace("\n", "", StringComparison.Ordinal)));
    }

    /// <summary>Whoever looks, and however often: each byte is there once, also while the tunnel lives.</summary>
    [Test, CancelAfter(30_000)]
    public async Task Bytes_of_a_live_tunnel_are_in_its_workers_counts_once(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        await using var client = await admin.Proxy.ConnectAsync();
        await SocksClient.RequestAsync(client, "a.example", 80, token);
        for (int i = 1; i <= 2; i++)
        {
            await client.WriteAsync(new byte[1000], token);
            await SocksClient.ReadAsync(client, 1000, token);
            Assert.That(await BytesAsync(), Is.EqualTo((i * 1000L, i * 1000L)));
            await admin.Client.GetStringAsync(admin.Base + "/metrics", token);
            Assert.That(await BytesAsync(), Is.EqualTo((i * 1000L, i * 1000L)), "after a scrape");
        }

        var drained = await admin.PostAsync("/api/v1/workers/worker-01/drain", token);
        Assert.That(drained.GetProperty("bytes_sent").GetInt64(), Is.EqualTo(2000));

        async Task<(long Sent, long Received)> BytesAsync()
        {
            var one = (await admin.GetAsync("/api/v1/workers", token)).GetProperty("workers")[0];
            return (one.GetProperty("bytes_sent").GetInt64(), one.GetProperty("bytes_received").GetInt64());
        }
    }

    [Test, CancelAfter(30_000)]
    public async Task Success_rate_and_connections_follow_what_happens(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = static request => (byte)(request.Host == "bad.example" ? 1 : 0) };
        new HttpScript().On("a.example/", HttpScript.Answer("a")).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);
        foreach (string host in new[] { "a", "a", "bad" })
            await admin.FetchAsync($$"""{"url":"http://{{host}}.example/"}""", token);
        admin.Proxy.Health.DialFailed(admin.Proxy.Pool.Find("worker-01")!, new ProxyError(FailureCause.WorkerClosed));

        using var lease = admin.Proxy.Pool.Find("worker-01")!.Lease();
        var entry = (await admin.GetAsync("/api/v1/health", token)).GetProperty("workers").GetProperty("worker-01");

        Assert.That(entry.GetProperty("success_rate").GetDouble(), Is.EqualTo(0.75));
        Assert.That(entry.GetProperty("connections").GetInt32(), Is.EqualTo(1));
        Assert.That(entry.GetProperty("failures").GetInt32(), Is.EqualTo(1));
    }

    [Test, CancelAfter(30_000)]
    public async Task Drain_stops_new_connections_and_leaves_live_ones(CancellationToken token)
    {
        await using var first = new FakeTorWorker();
        await using var second = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(first, second);
        await using var live = await admin.Proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(live, "live.example", 80, token))[1], Is.Zero);
        string carrier = first.Requests.IsEmpty ? "worker-02" : "worker-01";

        var view = await admin.PostAsync($"/api/v1/workers/{carrier}/drain", token);
        Assert.That(view.GetProperty("health").GetProperty("administrative").GetString(), Is.EqualTo("draining"));
        Assert.That(view.GetProperty("health").GetProperty("connections").GetInt32(), Is.EqualTo(1));
        await admin.PostAsync($"/api/v1/workers/{carrier}/drain", token);

        // Whatever health finds out about it, the operator's word stands.
        admin.Proxy.Pool.SetOperational(admin.Proxy.Pool.Find(carrier)!, WorkerOperationalState.Suspect, "");
        admin.Proxy.Pool.SetOperational(admin.Proxy.Pool.Find(carrier)!, WorkerOperationalState.Healthy, "");
        for (int i = 0; i < 4; i++)
        {
            await using var other = await admin.Proxy.ConnectAsync();
            Assert.That((await SocksClient.RequestAsync(other, "new.example", 80, token))[1], Is.Zero);
        }

        var drained = carrier == "worker-01" ? first : second;
        Assert.That(drained.Requests.Select(static request => request.Host), Is.EqualTo(["live.example"]));
        await live.WriteAsync("still"u8.ToArray(), token);
        byte[] echo = new byte[5];
        await live.ReadExactlyAsync(echo, token);
        Assert.That(echo, Is.EqualTo("still"u8.ToArray()));

        view = await admin.PostAsync($"/api/v1/workers/{carrier.ToUpperInvariant()}/enable", token);
        Assert.That(view.GetProperty("health").GetProperty("administrative").GetString(), Is.EqualTo("enabled"));
        Assert.That(admin.Proxy.Pool.Find(carrier)!.IsEligible, Is.True);
    }

    [Test, CancelAfter(30_000)]
    public async Task Enable_forces_a_worker_in_recovery_back(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        var pool = admin.Proxy.Pool;
        for (int i = 0; i < 3; i++)
            admin.Proxy.Health.DialFailed(pool.Find("worker-01")!, new ProxyError(FailureCause.WorkerRefused));
        Assert.That(pool.Find("worker-01")!.Operational, Is.EqualTo(WorkerOperationalState.Recovery));

        var view = await admin.PostAsync("/api/v1/workers/worker-01/enable", token);

        Assert.That(view.GetProperty("health").GetProperty("state").GetString(), Is.EqualTo("HEALTHY"));
        Assert.That(view.GetProperty("health").TryGetProperty("reason", out _), Is.False);
        Assert.That(pool.Snapshot.EligibleWorkers, Has.Length.EqualTo(1));
    }

    [Test, CancelAfter(30_000)]
    public async Task Unknown_worker_is_404([Values("drain", "enable")] string command, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());

        var problem = await AdminUnderTest.ReadAsync(
            await admin.Client.PostAsync($"{admin.Base}/api/v1/workers/nobody/{command}", null, token), HttpStatusCode.NotFound, token);

        Assert.That(problem.GetProperty("detail").GetString(), Is.EqualTo("there is no worker 'nobody'"));
    }

    [TestCase(true, "live.example:80")]
    [TestCase(false, "(name):80")]
    [CancelAfter(30_000)]
    public async Task Connections_are_listed_with_targets_as_the_log_shows_them(bool shown, string target, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], options => options.Log.Targets = shown);
        await using var live = await admin.Proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(live, "live.example", 80, token))[1], Is.Zero);

        var connection = (await admin.GetAsync("/api/v1/connections", token)).GetProperty("connections").EnumerateArray().Single();
        var listed = (await admin.GetAsync("/api/v1/workers", token)).GetProperty("workers").EnumerateArray().Single();

        Assert.That(connection.GetProperty("target").GetString(), Is.EqualTo(target));
        Assert.That(connection.GetProperty("protocol").GetString(), Is.EqualTo("socks5"));
        Assert.That(connection.GetProperty("worker").GetString(), Is.EqualTo("worker-01"));
        Assert.That(listed.GetProperty("id").GetString(), Is.EqualTo("worker-01"));
        Assert.That(listed.GetProperty("total_connections").GetInt64(), Is.EqualTo(1));
    }

    /// <summary>Connections that fail by the worker's own fault, and then probes.</summary>
    private static void Fail(ProxyUnderTest proxy, string id, int failures, int probes)
    {
        var worker = proxy.Pool.Find(id)!;
        for (int i = 0; i < failures; i++)
            proxy.Health.DialFailed(worker, new ProxyError(FailureCause.WorkerProtocol));
        var monitored = proxy.Health.Of(worker);
        var step = new ProbeStep(ProbeSteps.Socks, ProbeStepResult.Failed, "as the test said");
        for (int i = 0; i < probes; i++)
            proxy.Health.ProbeDone(monitored, new ProbeReport([step]), monitored.State.Episode);
    }
}
