using System.Net;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>No web page can drive the API, and every error has the same form.</summary>
public class AdminGuardTests
{
    [TestCase("localhost:{0}", 200)]
    [TestCase("LOCALHOST:{0}", 200)]
    [TestCase("127.0.0.1:{0}", 200)]
    [TestCase("[::1]:{0}", 200)]
    [TestCase("evil.example:{0}", 421)]
    [TestCase("evil.example", 421)]
    [TestCase("127.0.0.1", 200)]
    [TestCase("127.0.0.1:1", 421)]
    [TestCase("127.0.0.1.evil.example:{0}", 421)]
    [TestCase("localhost.evil.example:{0}", 421)]
    [TestCase("0.0.0.0:{0}", 421)]
    [CancelAfter(30_000)]
    public async Task Host_must_be_ours_or_the_request_is_a_rebound_name(string host, int status, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        var request = new HttpRequestMessage(HttpMethod.Get, admin.Base + "/api/v1/health");
        request.Headers.Host = string.Format(System.Globalization.CultureInfo.InvariantCulture, host, admin.Server.Address!.Port);

        await AdminUnderTest.ReadAsync(await admin.Client.SendAsync(request, token), (HttpStatusCode)status, token);
    }

    [TestCase("Origin", "https://evil.example")]
    [TestCase("Origin", "null")]
    [TestCase("Origin", "http://localhost:8080")]
    [TestCase("Sec-Fetch-Site", "cross-site")]
    [TestCase("Sec-Fetch-Site", "same-site")]
    [CancelAfter(30_000)]
    public async Task Request_of_a_page_from_elsewhere_does_nothing(string header, string value, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        foreach (string path in new[] { "/api/v1/health", "/api/v1/workers/worker-01/drain", "/api/v1/fetch" })
        {
            var request = new HttpRequestMessage(
                path.EndsWith("health", StringComparison.Ordinal) ? HttpMethod.Get : HttpMethod.Post, admin.Base + path);
            if (path.EndsWith("fetch", StringComparison.Ordinal))
                request.Content = new StringContent("""{"url":"http://a.example"}""", Encoding.UTF8, "application/json");
            request.Headers.Add(header, value);

            var response = await admin.Client.SendAsync(request, token);

            await AdminUnderTest.ReadAsync(response, HttpStatusCode.Forbidden, token);
            Assert.That(response.Headers.Select(static field => field.Key), Has.None.StartsWith("Access-Control"));
        }

        Assert.That(worker.Accepted, Is.Zero);
        Assert.That(admin.Proxy.Pool.Find("worker-01")!.IsEligible, Is.True);
    }

    [TestCase("Origin", "http://{0}")]
    [TestCase("Sec-Fetch-Site", "same-origin")]
    [TestCase("Sec-Fetch-Site", "none")]
    [CancelAfter(30_000)]
    public async Task Request_of_our_own_page_is_answered(string header, string value, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        var request = new HttpRequestMessage(HttpMethod.Get, admin.Base + "/api/v1/health");
        request.Headers.Add(header, string.Format(System.Globalization.CultureInfo.InvariantCulture, value, admin.Server.Address));

        await AdminUnderTest.ReadAsync(await admin.Client.SendAsync(request, token), HttpStatusCode.OK, token);
    }

    [TestCase("text/plain")]
    [TestCase("application/x-www-form-urlencoded")]
    [TestCase("application/json; charset=utf-16")]
    [CancelAfter(30_000)]
    public async Task Body_of_another_type_is_415(string type, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(new FakeTorWorker());

        foreach (string path in new[] { "/api/v1/fetch", "/api/v1/workers/worker-01/drain" })
            await AdminUnderTest.ReadAsync(await admin.PostRawAsync(path, "{}", token, type), HttpStatusCode.UnsupportedMediaType, token);
        Assert.That(admin.Proxy.Pool.Find("worker-01")!.IsEligible, Is.True);
    }

    [Test, CancelAfter(30_000)]
    public async Task Body_over_a_mebibyte_is_413(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        string body = $$"""{"url":"http://a.example/{{new string('a', 1024 * 1024)}}"}""";

        await AdminUnderTest.ReadAsync(await admin.PostRawAsync("/api/v1/fetch", body, token), HttpStatusCode.RequestEntityTooLarge, token);
    }

    [TestCase("GET", "/api/v1/fetch", 405, "POST")]
    [TestCase("DELETE", "/api/v1/health", 405, "GET, HEAD")]
    [TestCase("GET", "/api/v1/workers/worker-01/drain", 405, "POST")]
    [TestCase("POST", "/api/v1/workers", 405, "GET, HEAD")]
    [TestCase("GET", "/api/v1/nothing", 404, null)]
    [TestCase("GET", "/", 200, null)]
    [TestCase("POST", "/", 405, "GET, HEAD")]
    [TestCase("DELETE", "/page/page.js", 405, "GET, HEAD")]
    [TestCase("OPTIONS", "/", 204, "GET, HEAD, POST, PATCH, DELETE, OPTIONS")]
    [TestCase("OPTIONS", "/page/page.js", 204, "GET, HEAD")]
    [TestCase("GET", "/page/nothing.js", 404, null)]
    [TestCase("GET", "/page/", 404, null)]
    [TestCase("OPTIONS", "/api/v1/fetch", 204, "POST")]
    [TestCase("OPTIONS", "/api/v1/nothing", 404, null)]
    [CancelAfter(30_000)]
    public async Task Method_and_path_are_answered_truthfully(
        string method, string path, int status, string? allow, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());

        var response = await admin.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), admin.Base + path), token);

        Assert.That((int)response.StatusCode, Is.EqualTo(status));
        Assert.That(response.Content.Headers.Allow, Is.EquivalentTo(allow?.Split(", ") ?? []));
        Assert.That(response.Headers.Select(static field => field.Key), Has.None.StartsWith("Access-Control"));
        if (status >= 400)
            await AdminUnderTest.ReadAsync(response, (HttpStatusCode)status, token);
    }

    [Test, CancelAfter(30_000)]
    public async Task Head_is_get_without_its_body(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());

        var response = await admin.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, admin.Base + "/api/v1/health"), token);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await response.Content.ReadAsByteArrayAsync(token), Is.Empty);
        Assert.That(response.Headers.CacheControl!.NoStore, Is.True);
    }
}
