using TorBalancer.Primitives;

namespace TorBalancer.Tests.Forwarding;

/// <summary>HTTP/1.0 clients that ask for keep-alive.</summary>
[TestFixture(HttpForwarderHarness.Sockets)]
[TestFixture(HttpForwarderHarness.Loops)]
public sealed class HttpForwarderOldClientTests(string engine)
{
    private const int Limit = 10_000;

    [TestCase("Connection: keep-alive")]
    [TestCase("Connection: Keep-Alive")]
    [TestCase("Proxy-Connection: keep-alive")]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_http_1_0_client_that_asks_keeps_its_connection(string field)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        string request = $"GET http://h/ HTTP/1.0\r\n{field}\r\n\r\n";
        await proxy.Client.SendAsync(request);
        using var origin = await proxy.OriginAsync();
        for (int i = 0; i < 3; i++)
        {
            Assert.That(await origin.ReadHeadAsync(), Is.EqualTo("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
            await origin.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
            Assert.That(
                await proxy.Client.ReadThroughAsync("\r\n\r\nx"),
                Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx"));
            await proxy.Client.SendAsync(request);
        }

        Assert.That(proxy.Connects, Has.Count.EqualTo(1));
    }

    [TestCase("GET http://h/ HTTP/1.0\r\n\r\n", "Content-Length: 1\r\n\r\nx", "Content-Length: 1\r\nConnection: close\r\n\r\nx")]
    [TestCase(
        "GET http://h/ HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "Content-Length: 1\r\n\r\nx",
        "Content-Length: 1\r\nConnection: close\r\n\r\nx")]
    [TestCase(
        "GET http://h/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        "Connection: close\r\n\r\nx")]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_http_1_0_client_loses_its_connection_where_it_must(string request, string answer, string expected)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(request);
        using var origin = await proxy.OriginAsync();
        await origin.ReadHeadAsync();
        await origin.SendAsync("HTTP/1.1 200 OK\r\n" + answer);
        Assert.That(await proxy.Client.ReadToEndAsync(), Is.EqualTo("HTTP/1.1 200 OK\r\n" + expected));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_http_1_0_client_that_asks_keeps_its_connection_behind_an_error_of_ours()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        proxy.Fail = static request => request.Target.Host == "bad" ? new ProxyError(FailureCause.HostUnreachable) : default;
        await proxy.Client.SendAsync("HEAD http://bad/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 5").And.Contain("\r\nConnection: keep-alive\r\n"));
        await proxy.Client.SendAsync("GET http://h/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        using var origin = await proxy.OriginAsync();
        Assert.That(await origin.ReadHeadAsync(), Does.StartWith("GET / "));
    }
}
