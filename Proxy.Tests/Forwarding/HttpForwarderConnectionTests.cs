using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Tests.Forwarding;

/// <summary>Several requests on one connection, and everything that breaks.</summary>
[TestFixture(HttpForwarderHarness.Sockets)]
[TestFixture(HttpForwarderHarness.Loops)]
public sealed class HttpForwarderConnectionTests(string engine)
{
    private const int Limit = 10_000;

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_each_request_goes_to_its_own_host_and_an_equal_one_reuses()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        using var a = await RequestAsync(proxy, "a", null);
        await RequestAsync(proxy, "a", a);
        using var b = await RequestAsync(proxy, "b", null);
        Assert.That(await a.ReadToEndAsync(), Is.Empty, "the connection to a is let go");
        Assert.That(proxy.Connects.Select(c => c.Target.Host), Is.EqualTo(new[] { "a", "b" }));
        int[] attempts =
        [
            (await proxy.ExchangeAsync()).Attempts, (await proxy.ExchangeAsync()).Attempts, (await proxy.ExchangeAsync()).Attempts,
        ];
        Assert.That(attempts, Is.EqualTo(new[] { 1, 0, 1 }), "the second needed no stream of its own");
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_other_credentials_do_not_share_a_connection()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        using var one = await RequestAsync(proxy, "a", null, "Proxy-Authorization: Basic YTpi\r\n");
        using var two = await RequestAsync(proxy, "a", null);
        Assert.That(proxy.Connects.Select(c => c.Credentials?.User), Is.EqualTo(new[] { "a", null }));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_a_kept_connection_that_closes_before_the_body_came_is_replaced()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        using var first = await RequestAsync(proxy, "a", null);
        await proxy.Client.SendAsync("PUT http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
        await first.ReadHeadAsync();
        first.Close();
        using var second = await proxy.OriginAsync("a").WaitAsync(TimeSpan.FromSeconds(3));
        await proxy.Client.SendAsync("xyz");
        Assert.That(await second.ReadThroughAsync("xyz"), Does.StartWith("PUT / HTTP/1.1"));
        await second.SendAsync("HTTP/1.1 204 No Content\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 204"));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_pipelined_requests_are_answered_in_order()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(
            Request("a") + "POST http://b/ HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nxyz" + Request("c") + Request("d"));
        proxy.Client.ShutdownSend();
        foreach (string host in new[] { "a", "b", "c", "d" })
        {
            using var origin = await proxy.OriginAsync(host);
            string head = await origin.ReadHeadAsync();
            if (host == "b")
                Assert.That(await origin.ReadAsync(3), Is.EqualTo("xyz"));
            Assert.That(head, Does.Contain($"Host: {host}\r\n"));
            await origin.SendAsync($"HTTP/1.1 200 OK\r\nX: {host}\r\nContent-Length: 0\r\n\r\n");
        }

        string all = await proxy.Client.ReadToEndAsync();
        Assert.That(all, Is.EqualTo(string.Concat("abcd".Select(h => $"HTTP/1.1 200 OK\r\nX: {h}\r\nContent-Length: 0\r\n\r\n"))));
        Assert.That((await proxy.EndedAsync()).Error, Is.EqualTo(ProxyError.None));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_CONNECT_behind_a_forwarded_request_comes_out()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        using var a = await RequestAsync(proxy, "a", null);
        await proxy.Client.SendAsync("CONNECT t:443 HTTP/1.1\r\nHost: t:443\r\n\r\nTLS");
        var outcome = await proxy.EndedAsync();
        Assert.That((outcome.Kind, outcome.Request!.Target.ToString()), Is.EqualTo((Served.Connect, "t:443")));
        Assert.That(await proxy.Client.ReadHeadAsync(), Is.EqualTo("HTTP/1.1 200 Connection established\r\n\r\n"));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_origin_that_closes_its_idle_connection_is_replaced()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        var first = await RequestAsync(proxy, "a", null);
        first.Close();
        using var second = await RequestAsync(proxy, "a", null);
        Assert.That(proxy.Connects, Has.Count.EqualTo(2));
    }

    [TestCase("GET", true)]
    [TestCase("POST", false)]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_kept_connection_that_dies_in_use_is_retried_when_idempotent(string method, bool retried)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        var first = await RequestAsync(proxy, "a", null);
        await proxy.Client.SendAsync($"{method} http://a/2 HTTP/1.1\r\nHost: a\r\n\r\n");
        await first.ReadHeadAsync();
        first.Reset();
        if (retried)
        {
            using var second = await proxy.OriginAsync("a");
            Assert.That(await second.ReadHeadAsync(), Does.StartWith("GET /2 "));
            await second.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }

        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith(retried ? "HTTP/1.1 200" : "HTTP/1.1 502"));
        Assert.That(proxy.Connects, Has.Count.EqualTo(retried ? 2 : 1));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_fresh_connection_that_dies_is_not_retried()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        origin.Close();
        string head = await proxy.Client.ReadHeadAsync();
        Assert.That(
            head,
            Does.StartWith("HTTP/1.1 502").And.Contain("cause=target_closed worker=w1 attempts=1").And.Not.Contain("Connection: close"));
        Assert.That(proxy.Connects, Has.Count.EqualTo(1));
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Le", "target_closed")]
    [TestCase("HTTP/1.1 100 Continue\r\n\r\n", "target_closed")]
    [TestCase("SSH-2.0-x\r\n", "target_protocol")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "target_protocol")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "target_protocol")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n", "target_protocol")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", "target_protocol")]
    [TestCase("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "target_protocol")]
    [TestCase("HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n", "target_protocol")]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_answer_that_is_none_becomes_502(string answer, string cause)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync(answer);
        origin.ShutdownSend();
        if (answer.Contains(" 100 ", StringComparison.Ordinal))
            await proxy.Client.ReadHeadAsync();
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 502").And.Contain("cause=" + cause));
        var exchange = await proxy.ExchangeAsync();
        Assert.That((exchange.Status, exchange.Error.Word), Is.EqualTo((502, cause)));
        using var next = await RequestAsync(proxy, "b", null);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_endless_interim_responses_become_502()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.SendAsync(string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 40)));
        Assert.That(await proxy.Client.ReadThroughAsync("HTTP/1.1 502"), Is.Not.Empty);
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0")]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_answer_that_breaks_off_resets_the_client(string answer)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync(answer);
        origin.Close();
        string got = await proxy.Client.ReadToEndAsync();
        Assert.That(proxy.Client.WasReset, Is.True);
        Assert.That(got, Does.Not.Contain("\r\n0\r\n"));
        Assert.That((await proxy.ExchangeAsync()).Error.Side, Is.EqualTo(FailureSide.Target));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_answer_until_close_that_is_reset_resets_the_client()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync("HTTP/1.1 200 OK\r\n\r\nhalf");
        await proxy.Client.ReadThroughAsync("half");
        origin.Reset();
        await proxy.Client.ReadToEndAsync();
        Assert.That(proxy.Client.WasReset, Is.True);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_bytes_behind_an_answer_are_never_the_next_answer()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 POISON\r\nContent-Length: 0\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 200 OK"));
        using var fresh = await RequestAsync(proxy, "a", null);
        Assert.That(proxy.Connects, Has.Count.EqualTo(2));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_malformed_chunks_of_the_client_are_refused_and_the_origin_is_cut()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync("POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        var origin = await proxy.OriginAsync("a");
        await origin.ReadThroughAsync("abc");
        await proxy.Client.SendAsync("3\nabc\r\n0\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 400").And.Contain("Connection: close"));
        Assert.That(await origin.ReadToEndAsync(), Does.Not.Contain("0\r\n\r\n"));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_client_that_resets_while_waiting_ends_the_upstream()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        proxy.Client.Reset();
        await origin.ReadToEndAsync();
        var exchange = await proxy.ExchangeAsync();
        Assert.That((exchange.Error.Cause, exchange.Status), Is.EqualTo((FailureCause.ClientClosed, 0)));
    }

    /// <summary>Its FIN does not say that it has left; its kernel's answer to the first bytes does.</summary>
    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_client_that_closes_while_waiting_is_found_out_by_its_answer()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        proxy.Client.Close();
        await origin.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        try
        {
            while (!proxy.Outcome.Task.IsCompleted)
            {
                await origin.SendAsync("1\r\nx\r\n");
                await Task.Yield();
            }
        }
        catch (System.Net.Sockets.SocketException)
        {
            // The upstream was ended.
        }

        var exchange = await proxy.ExchangeAsync();
        Assert.That(exchange.Error.Cause, Is.EqualTo(FailureCause.ClientClosed));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_client_that_resets_while_dialling_cancels_the_dial()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        var dialling = new TaskCompletionSource();
        proxy.Delay = async token =>
        {
            dialling.SetResult();
            await Task.Delay(Timeout.Infinite, token);
        };
        await proxy.Client.SendAsync(Request("a"));
        await dialling.Task.WaitAsync(TestContext.CurrentContext.CancellationToken);
        proxy.Client.Reset();
        Assert.That((await proxy.EndedAsync()).Error.Cause, Is.EqualTo(FailureCause.ClientClosed));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_client_that_half_closes_still_gets_its_answer()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        proxy.Client.ShutdownSend();
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Assert.That(await proxy.Client.ReadToEndAsync(), Does.EndWith("\r\n\r\nok"));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_client_that_leaves_in_its_body_cuts_the_origin()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync("POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
        var origin = await proxy.OriginAsync("a");
        await origin.ReadThroughAsync("half");
        proxy.Client.ShutdownSend();
        Assert.That(await origin.ReadToEndAsync(), Is.Empty);
        Assert.That(origin.WasReset, Is.True);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_failed_dial_is_told_and_the_connection_goes_on()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        proxy.Fail = request => request.Target.Host == "bad" ? new ProxyError(FailureCause.NoWorkerAvailable, "all down") : ProxyError.None;
        await proxy.Client.SendAsync("POST http://bad/ HTTP/1.1\r\nHost: bad\r\nContent-Length: 3\r\n\r\nabc");
        string head = await proxy.Client.ReadHeadAsync();
        Assert.That(
            head,
            Does.StartWith("HTTP/1.1 503 ").And.Contain("Retry-After: 5").And.Contain("worker=w2 attempts=2").And.Not
                .Contain("Connection:"));
        Assert.That(await proxy.Client.ReadThroughAsync("connection: c-1\n"), Does.Contain("no_worker_available").And.Contain("all down"));
        using var origin = await RequestAsync(proxy, "a", null);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_failed_dial_of_a_request_with_a_long_body_ends_the_connection()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        proxy.Fail = _ => new ProxyError(FailureCause.WorkerRefused);
        await proxy.Client.SendAsync("POST http://bad/ HTTP/1.1\r\nHost: bad\r\nContent-Length: 999999\r\n\r\nabc");
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 502 ").And.Contain("Connection: close"));
        await proxy.Client.ReadToEndAsync();
        Assert.That(proxy.Client.WasReset, Is.False);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_idle_connection_ends_quietly()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine, idle: TimeSpan.FromMilliseconds(50));
        using var origin = await RequestAsync(proxy, "a", null);
        Assert.That(await proxy.Client.ReadToEndAsync(), Is.Empty);
        Assert.That(await origin.ReadToEndAsync(), Is.Empty);
        Assert.That((await proxy.EndedAsync()).Error, Is.EqualTo(ProxyError.None));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task ForwardAsync_many_requests_in_a_row_stay_in_step()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        using var origin = await RequestAsync(proxy, "a", null);
        for (int i = 0; i < 500; i++)
        {
            string body = new('b', i);
            await proxy.Client.SendAsync($"POST http://a/{i} HTTP/1.1\r\nHost: a\r\nContent-Length: {i}\r\n\r\n{body}");
            Assert.That(await origin.ReadHeadAsync(), Does.StartWith($"POST /{i} "));
            Assert.That(await origin.ReadAsync(i), Is.EqualTo(body));
            await origin.SendAsync($"HTTP/1.1 200 OK\r\nX: {i}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
            Assert.That(await proxy.Client.ReadThroughAsync("\r\n0\r\n\r\n"), Does.Contain($"X: {i}\r\n"));
        }

        Assert.That(proxy.Connects, Has.Count.EqualTo(1));
    }

    private static string Request(string host, string fields = "") => $"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n";

    /// <summary>One request with an empty answer, over a known origin connection or the next new one.</summary>
    private static async Task<Support.ScriptedPeer> RequestAsync(
        HttpForwarderHarness proxy, string host, Support.ScriptedPeer? origin, string fields = "")
    {
        await proxy.Client.SendAsync(Request(host, fields));
        origin ??= await proxy.OriginAsync(host);
        Assert.That(await origin.ReadHeadAsync(), Does.Contain($"Host: {host}\r\n"));
        await origin.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Assert.That(
            await proxy.Client.ReadThroughAsync("Content-Length: 0\r\n\r\n"), Does.EndWith("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        return origin;
    }
}
