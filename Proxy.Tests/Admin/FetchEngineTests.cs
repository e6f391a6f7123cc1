using System.Text;
using System.Text.Json;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

public class FetchEngineTests
{
    private const string Onion = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion";

    [Test, CancelAfter(30_000)]
    public async Task Fetch_the_documents_request_gives_the_documents_answer(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        var web = new HttpScript()
            .On(
                "example.com/",
                HttpScript.Answer(
                    "hello", "Content-Type: text/html; charset=utf-8\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2"))
            .Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync("""
            { "url": "http://example.com", "mode": "round_robin", "sticky_key": "user-123", "timeout": 30, "follow_redirects": true,
              "headers": { "User-Agent": "curl/8.0" } }
            """, token);

        Assert.Multiple(() =>
        {
            Assert.That(answer.GetProperty("success").GetBoolean(), Is.True);
            Assert.That(answer.GetProperty("worker").GetString(), Is.EqualTo("worker-01"));
            Assert.That(answer.GetProperty("status_code").GetInt32(), Is.EqualTo(200));
            Assert.That(answer.GetProperty("body").GetString(), Is.EqualTo("hello"));
            Assert.That(answer.TryGetProperty("body_encoding", out _), Is.False);
            Assert.That(answer.GetProperty("headers").GetProperty("x-a").GetString(), Is.EqualTo("1, 2"));
            Assert.That(
                answer.GetProperty("headers").GetProperty("set-cookie").EnumerateArray().Select(static v => v.GetString()),
                Is.EqualTo(["a=1", "b=2"]));
            Assert.That(
                answer.GetProperty("timing").EnumerateObject().Select(static p => p.Name),
                Is.EqualTo(["dns_ms", "connect_ms", "total_ms"]));
            Assert.That(answer.GetProperty("timing").GetProperty("dns_ms").GetInt32(), Is.Zero);
            Assert.That(
                web.Heads.Single(),
                Is.EqualTo("GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/8.0\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n"));
            Assert.That(worker.Requests.Single().Host, Is.EqualTo("example.com"));
        });
        AssertLeasesReturned(admin);
    }

    [TestCase("http://XN--bcher-kva.Example./", "xn--bcher-kva.example")]
    [TestCase("http://[2001:db8::1]/", "2001:db8::1")]
    [TestCase("http://192.0.2.1/", "192.0.2.1")]
    [TestCase("http://" + Onion + "/", Onion)]
    [CancelAfter(30_000)]
    public async Task Fetch_sends_the_host_as_the_worker_understands_it(string url, string host, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On(host + "/", HttpScript.Answer("ok")).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync(JsonSerializer.Serialize(new { url }), token);

        Assert.That(answer.GetProperty("body").GetString(), Is.EqualTo("ok"));
        Assert.That(worker.Requests.Single(), Has.Property("Host").EqualTo(host).And.Property("Port").EqualTo(80));
    }

    [Test, CancelAfter(30_000)]
    public async Task Fetch_of_an_error_page_is_a_success([Values(404, 503)] int status, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/x", HttpScript.Answer("gone", status: status)).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync("""{"url":"http://a.example/x"}""", token);

        Assert.That(answer.GetProperty("success").GetBoolean(), Is.True);
        Assert.That(answer.GetProperty("status_code").GetInt32(), Is.EqualTo(status));
    }

    [Test, CancelAfter(30_000)]
    public async Task Redirects_are_followed_hop_by_hop_and_secrets_stay_with_their_origin(CancellationToken token)
    {
        await using var first = new FakeTorWorker();
        await using var second = new FakeTorWorker();
        var web = new HttpScript()
            .On("a.example/", HttpScript.Redirect("/two"))
            .On("a.example/two", HttpScript.Redirect($"http://{Onion}/three", 307))
            .On(Onion + "/three", HttpScript.Redirect("http://a.example/four", 303))
            .On("a.example/four", HttpScript.Answer("end")).Behind(first, second);
        await using var admin = await AdminUnderTest.StartAsync(first, second);

        var answer = await admin.FetchAsync(
            """{"url":"http://a.example/","headers":{"Authorization":"Bearer x","cookie":"c=1","X-Mine":"y"}}""", token);

        string[] heads = [.. web.Heads];
        Assert.Multiple(() =>
        {
            Assert.That(answer.GetProperty("body").GetString(), Is.EqualTo("end"));
            Assert.That(answer.GetProperty("redirects").GetInt32(), Is.EqualTo(3));
            Assert.That(answer.GetProperty("url").GetString(), Is.EqualTo("http://a.example/four"));
            Assert.That(heads.Select(static head => head.Contains("Bearer x")), Is.EqualTo([true, true, false, false]));
            Assert.That(heads.Select(static head => head.Contains("c=1")), Is.EqualTo([true, true, false, false]));
            Assert.That(heads.All(static head => head.Contains("X-Mine: y")), Is.True);
            Assert.That(first.Requests, Has.Count.EqualTo(2), "each hop is balanced by itself");
            Assert.That(second.Requests, Has.Count.EqualTo(2));
        });
        AssertLeasesReturned(admin);
    }

    [TestCase("""{"url":"http://a.example/","follow_redirects":false}""", "http://b.example/")]
    [TestCase("""{"url":"http://a.example/"}""", "ftp://b.example/")]
    [TestCase("""{"url":"http://a.example/"}""", "http://u:p@b.example/")]
    [TestCase("""{"url":"http://a.example/"}""", "http://xn--a\u00fc.example/", Description = "no host, and Uri.IdnHost throws")]
    [CancelAfter(30_000)]
    public async Task Redirect_that_is_not_followed_is_the_answer(string body, string location, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Redirect(location, 301)).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync(body, token);

        Assert.That(answer.GetProperty("status_code").GetInt32(), Is.EqualTo(301));
        Assert.That(answer.GetProperty("headers").GetProperty("location").GetString(), Is.EqualTo(location));
    }

    [Test, CancelAfter(30_000)]
    public async Task Redirects_without_end_fail_after_ten(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Redirect("/")).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync("""{"url":"http://a.example/"}""", token);

        Assert.That(CauseOf(answer), Is.EqualTo("target_protocol"));
        Assert.That(worker.Requests, Has.Count.EqualTo(11));
        AssertLeasesReturned(admin);
    }

    [Test, CancelAfter(30_000)]
    public async Task Redirect_to_a_malformed_onion_fails_before_any_worker(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Redirect("http://abc.onion/")).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        Assert.That(CauseOf(await admin.FetchAsync("""{"url":"http://a.example/"}""", token)), Is.EqualTo("onion_address_invalid"));
        Assert.That(worker.Requests, Has.Count.EqualTo(1));
    }

    [Test, CancelAfter(30_000)]
    public async Task Body_that_is_not_text_is_base64(CancellationToken token)
    {
        byte[] bytes = [0x89, 0x50, 0x00, 0xff, 0xc3];
        await using var worker = new FakeTorWorker();
        new HttpScript()
            .On("a.example/", [.. Encoding.Latin1.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), .. bytes])
            .Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync("""{"url":"http://a.example/"}""", token);

        Assert.That(answer.GetProperty("body_encoding").GetString(), Is.EqualTo("base64"));
        Assert.That(answer.GetProperty("body").GetBytesFromBase64(), Is.EqualTo(bytes));
    }

    [Test, CancelAfter(60_000)]
    public async Task Body_over_ten_mebibytes_is_cut_and_says_so(CancellationToken token)
    {
        const int limit = 10 * 1024 * 1024;
        await using var worker = new FakeTorWorker();
        new HttpScript()
            .On("a.example/fits", HttpScript.Answer(new string('a', limit)))
            .On("a.example/over", HttpScript.Answer(new string('a', limit + 1))).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var fits = await admin.FetchAsync("""{"url":"http://a.example/fits"}""", token);
        var over = await admin.FetchAsync("""{"url":"http://a.example/over"}""", token);

        Assert.That(fits.TryGetProperty("truncated", out _), Is.False);
        Assert.That(over.GetProperty("truncated").GetBoolean(), Is.True);
        Assert.That(over.GetProperty("body").GetString(), Has.Length.EqualTo(limit));
        AssertLeasesReturned(admin);
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "target_closed")]
    [TestCase("", "target_closed")]
    [TestCase("SSH-2.0-OpenSSH\r\n\r\n", "target_protocol")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "target_protocol")]
    [CancelAfter(30_000)]
    public async Task Target_that_breaks_off_or_speaks_something_else_is_a_failure(string bytes, string cause, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", bytes).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        Assert.That(CauseOf(await admin.FetchAsync("""{"url":"http://a.example/"}""", token)), Is.EqualTo(cause));
        AssertLeasesReturned(admin);
    }

    [Test, CancelAfter(30_000)]
    public async Task Head_over_128_KiB_is_called_too_large(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript()
            .On("a.example/fits", $"HTTP/1.1 200 OK\r\nX: {new string('y', 127 * 1024)}\r\nContent-Length: 2\r\n\r\nok")
            .On("a.example/over", $"HTTP/1.1 200 OK\r\nX: {new string('y', 129 * 1024)}\r\nContent-Length: 2\r\n\r\nok").Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        Assert.That(
            (await admin.FetchAsync("""{"url":"http://a.example/fits"}""", token)).GetProperty("body").GetString(), Is.EqualTo("ok"));
        Assert.That(CauseOf(await admin.FetchAsync("""{"url":"http://a.example/over"}""", token)), Is.EqualTo("target_head_too_large"));
    }

    [TestCase("HTTP/1.1 304 Not\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 304, "")]
    [TestCase("HTTP/1.1 204 No\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 204, "")]
    [TestCase(
        "HTTP/1.1 103 Early\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200,
        "ok")]
    [TestCase("HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nok", 205, "ok")]
    [TestCase("HTTP/1.1 200 OK\r\nConnection: keep-alive; timeout=5\r\nContent-Length: 2\r\n\r\nok", 200, "ok")]
    [TestCase("HTTP/1.1 200\nX : y\nContent-Length: 2\n\nok", 200, "ok")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", 200, "ok")]
    [CancelAfter(30_000)]
    public async Task Answer_of_bad_style_is_an_answer(string bytes, int status, string body, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", bytes).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync("""{"url":"http://a.example/"}""", token);

        Assert.That(answer.GetProperty("success").GetBoolean(), Is.True, answer.ToString());
        Assert.That(answer.GetProperty("status_code").GetInt32(), Is.EqualTo(status));
        Assert.That(answer.GetProperty("body").GetString(), Is.EqualTo(body));
    }

    [TestCase((byte)5, "connection_refused", 1)]
    [TestCase((byte)4, "host_unreachable", 2)]
    [TestCase((byte)1, "general_failure", 2)]
    [CancelAfter(30_000)]
    public async Task Failure_to_connect_is_told_with_its_cause_and_worker(byte reply, string cause, int attempts, CancellationToken token)
    {
        await using var first = new FakeTorWorker { Reply = _ => reply };
        await using var second = new FakeTorWorker { Reply = _ => reply };
        await using var admin = await AdminUnderTest.StartAsync(first, second);

        var answer = await admin.FetchAsync("""{"url":"http://a.example/"}""", token);

        Assert.That(answer.GetProperty("success").GetBoolean(), Is.False);
        Assert.That(CauseOf(answer), Is.EqualTo(cause));
        Assert.That(answer.GetProperty("worker").GetString(), Does.StartWith("worker-0"));
        Assert.That(first.Requests.Count + second.Requests.Count, Is.EqualTo(attempts));
        AssertLeasesReturned(admin);
    }

    [Test, CancelAfter(30_000)]
    public async Task Timeout_is_for_all_of_it(CancellationToken token)
    {
        await using var silent = new FakeTorWorker { Silent = true };
        await using var slow = new FakeTorWorker();
        new HttpScript { Before = static stop => Task.Delay(Timeout.Infinite, stop) }.Behind(slow);
        await using var noAnswer = await AdminUnderTest.StartAsync(slow);
        await using var noConnection = await AdminUnderTest.StartAsync(silent);

        Assert.That(CauseOf(await noAnswer.FetchAsync("""{"url":"http://a.example/","timeout":1}""", token)), Is.EqualTo("target_timeout"));
        Assert.That(
            CauseOf(await noConnection.FetchAsync("""{"url":"http://a.example/","timeout":1}""", token)), Is.EqualTo("connect_timeout"));
        AssertLeasesReturned(noAnswer);
        AssertLeasesReturned(noConnection);
    }

    [Test, CancelAfter(30_000)]
    public async Task Sticky_key_pins_worker_and_circuit_and_shares_neither_with_clients(CancellationToken token)
    {
        await using var first = new FakeTorWorker();
        await using var second = new FakeTorWorker();
        await using var third = new FakeTorWorker();
        FakeTorWorker[] workers = [first, second, third];
        new HttpScript().On("a.example/", HttpScript.Answer("a")).On("b.example/", HttpScript.Answer("b")).Behind(workers);
        await using var admin = await AdminUnderTest.StartAsync(
            workers.Select(static worker => worker.EndPoint),
            static options => (options.Balancing.StickyBy, options.Balancing.Isolation) = (StickyBy.Destination, IsolationMode.None));

        foreach (string url in new[] { "http://a.example/", "http://b.example/", "http://a.example/" })
            await admin.FetchAsync($$"""{"url":"{{url}}","sticky_key":"user-123"}""", token);
        Assert.That(workers.Count(static worker => !worker.Requests.IsEmpty), Is.EqualTo(1));
        string?[] tokens = [.. workers.SelectMany(static worker => worker.Requests).Select(static request => request.Password).Distinct()];
        Assert.That(tokens, Has.Length.EqualTo(1).And.None.Null);

        await admin.FetchAsync("""{"url":"http://a.example/","sticky_key":"user-124"}""", token);
        await admin.FetchAsync("""{"url":"http://a.example/"}""", token);
        Assert.That(
            workers.SelectMany(static worker => worker.Requests).Select(static request => request.Password).Distinct().ToArray(),
            Has.Length.EqualTo(3).And.None.Null);
    }

    private static string? CauseOf(JsonElement answer) => answer.GetProperty("error").GetProperty("cause").GetString();

    private static void AssertLeasesReturned(AdminUnderTest admin) =>
        Assert.That(admin.Proxy.Pool.Snapshot.All.Select(static worker => worker.Active), Is.All.Zero);
}
