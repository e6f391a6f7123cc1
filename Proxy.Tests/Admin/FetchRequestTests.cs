using System.Net;
using System.Text.Json;
using TorBalancer.Balancing;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

public class FetchRequestTests
{
    [TestCase("", null, "not JSON")]
    [TestCase("{", null, "not JSON")]
    [TestCase("[]", null, "a JSON object, not an array")]
    [TestCase("""{"url":"http://a.example","url":"http://b.example"}""", null, "not JSON")]
    [TestCase("{}", "url", "required")]
    [TestCase("""{"url":null}""", "url", "not null")]
    [TestCase("""{"url":7}""", "url", "not a number")]
    [TestCase("""{"url":"example.com"}""", "url", "absolute http or https")]
    [TestCase("""{"url":"ftp://example.com/"}""", "url", "absolute http or https")]
    [TestCase("""{"url":"file:///etc/passwd"}""", "url", "absolute http or https")]
    [TestCase("""{"url":"http://u:p@example.com/"}""", "url", "Authorization header")]
    [TestCase("""{"url":"http://a.example:0/"}""", "url", "host and port")]
    [TestCase("""{"url":"http://abcdefghijklmnop.onion/"}""", "url", "onion_address_invalid")]
    [TestCase("""{"url":"http://b\u00fccher.example/"}""", "url", "send its A-labels")]
    [TestCase("""{"url":"http://xn--a\u00fc.example/"}""", "url", "send its A-labels")]
    [TestCase("""{"url":"http://abcdefghijklmnop.\uff4f\uff4e\uff49\uff4f\uff4e/"}""", "url", "send its A-labels")]
    [TestCase("""{"url":"http://abcdefghijklmnop.oni\u00adon/"}""", "url", "send its A-labels")]
    [TestCase("""{"url":"http://\uff4cocalhost/"}""", "url", "send its A-labels")]
    [TestCase("""{"url":"http://local\u00adhost/"}""", "url", "send its A-labels")]
    [TestCase(
        """{"url":"http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u24d3.example/"}""", "url", "not an absolute")]
    [TestCase("""{"url":"http://ex%61mple.org/"}""", "url", "not an absolute")]
    [TestCase("""{"url":"http:\\\\a.example/"}""", "url", "host")]
    [TestCase("""{"url":"http://a.example","timeout":0}""", "timeout", "from 1 to 600")]
    [TestCase("""{"url":"http://a.example","timeout":601}""", "timeout", "from 1 to 600")]
    [TestCase("""{"url":"http://a.example","timeout":"30"}""", "timeout", "a string")]
    [TestCase("""{"url":"http://a.example","follow_redirects":"yes"}""", "follow_redirects", "true or false")]
    [TestCase("""{"url":"http://a.example","sticky_key":5}""", "sticky_key", "a string, not a number")]
    [TestCase("""{"url":"http://a.example","sticky_key":""}""", "sticky_key", "1 to 1024")]
    [TestCase("""{"url":"http://a.example","stickykey":"a"}""", "stickykey", "did you mean 'sticky_key'")]
    [TestCase("""{"url":"http://a.example","method":"POST"}""", "method", "no member")]
    [TestCase("""{"url":"http://a.example","headers":["a"]}""", "headers", "not an array")]
    [TestCase("""{"url":"http://a.example","headers":{"X":1}}""", "headers.X", "a string, not a number")]
    [TestCase("""{"url":"http://a.example","headers":{"Host":"b.example"}}""", "headers.Host", "follows from url")]
    [TestCase("""{"url":"http://a.example","headers":{"content-length":"3"}}""", "headers.content-length", "follows from url")]
    [TestCase("""{"url":"http://a.example","headers":{"Content-Type":"a/b"}}""", "headers.Content-Type", "without one")]
    [TestCase("""{"url":"http://a.example","headers":{"X":"a\r\nY: b"}}""", "headers.X", "printable ASCII")]
    [TestCase("""{"url":"http://a.example","headers":{"X Y":"a"}}""", "headers.X Y", "not the name")]
    [CancelAfter(30_000)]
    public async Task Fetch_names_the_member_and_what_is_allowed(string body, string? field, string detail, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var problem = await AdminUnderTest.ReadAsync(
            await admin.PostRawAsync("/api/v1/fetch", body, token), HttpStatusCode.BadRequest, token);

        Assert.That(problem.GetProperty("status").GetInt32(), Is.EqualTo(400));
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain(detail));
        Assert.That(problem.TryGetProperty("field", out var named) ? named.GetString() : null, Is.EqualTo(field));
        Assert.That(worker.Accepted, Is.Zero);
    }

    /// <summary>
    /// A host is what its characters say, as over every other protocol: nothing reads them as an address of another kind.
    /// </summary>
    [TestCase("http://010.0.0.1/")]
    [TestCase("http://134744072/")]
    [TestCase("http://0x7f.1/a?b#c")]
    [TestCase("http://127.1/")]
    [CancelAfter(30_000)]
    public async Task Fetch_refuses_numbers_that_are_no_address_as_CONNECT_does(string url, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync(JsonSerializer.Serialize(new { url }), token);

        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("route_rejected"));
        Assert.That(answer.GetProperty("url").GetString(), Is.EqualTo(url));
        Assert.That(worker.Accepted, Is.Zero);
    }

    [TestCase("\"quickest\"")]
    [TestCase("1")]
    [CancelAfter(30_000)]
    public async Task Fetch_with_an_unknown_mode_lists_all_modes(string mode, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());

        var response = await admin.PostRawAsync("/api/v1/fetch", $$"""{"url":"http://a.example","mode":{{mode}}}""", token);
        var problem = await AdminUnderTest.ReadAsync(response, HttpStatusCode.BadRequest, token);

        Assert.That(problem.GetProperty("field").GetString(), Is.EqualTo("mode"));
        Assert.That(
            problem.GetProperty("allowed").EnumerateArray().Select(static word => word.GetString()), Is.EqualTo(SelectionPolicyNames.All));
    }

    [Test, CancelAfter(30_000)]
    public async Task Every_mode_is_taken(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Answer("a")).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);

        foreach (string mode in SelectionPolicyNames.All)
        {
            var answer = await admin.FetchAsync(JsonSerializer.Serialize(new { url = "http://a.example", mode }), token);
            Assert.That(answer.GetProperty("success").GetBoolean(), Is.True, mode);
        }
    }

    [Test, CancelAfter(30_000)]
    public async Task Fetch_without_workers_says_so_at_once(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());

        var answer = await admin.FetchAsync("""{"url":"http://a.example"}""", token);

        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("no_worker_available"));
        Assert.That(answer.TryGetProperty("worker", out _), Is.False);
    }
}
