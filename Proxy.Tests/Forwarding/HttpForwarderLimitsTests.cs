using TorBalancer.Primitives;

namespace TorBalancer.Tests.Forwarding;

/// <summary>Heads at and over the limits, and what becomes of a connection whose answers were repaired.</summary>
[TestFixture(HttpForwarderHarness.Sockets)]
[TestFixture(HttpForwarderHarness.Loops)]
public sealed class HttpForwarderLimitsTests(string engine)
{
    private const int Limit = 10_000;

    [TestCase(true)]
    [TestCase(false)]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_answer_with_a_head_that_is_too_large_is_called_so(bool byFields)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync(
            "HTTP/1.1 200 OK\r\n" + (
                byFields ? string.Concat(Enumerable.Repeat("X: y\r\n", 1001)) : "X: " + new string('y', 131_072)) + "\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 502")
            .And.Contain("error=http_response_header_section_size; details=\"cause=target_head_too_large"));
        Assert.That((await proxy.ExchangeAsync()).Error.Cause, Is.EqualTo(FailureCause.TargetHeadTooLarge));
        await proxy.Client.SendAsync(Request("b"));
        using var next = await proxy.OriginAsync("b");
        Assert.That(await next.ReadHeadAsync(), Does.StartWith("GET / "));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_heads_of_a_thousand_fields_pass_both_ways()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        string fields = string.Concat(Enumerable.Range(0, 999).Select(i => $"X-{i}: {new string('y', 100)}\r\n"));
        await proxy.Client.SendAsync(Request("a", fields));
        var origin = await proxy.OriginAsync("a");
        Assert.That(await origin.ReadHeadAsync(), Does.Contain("X-0: ").And.Contain("X-998: "));
        await origin.SendAsync("HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 0\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Is.EqualTo("HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 0\r\n\r\n"));
    }

    [TestCase("HTTP/1.1 304 Not\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [TestCase("HTTP/1.1 204 No\r\nnonsense\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n")]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_origin_whose_answer_was_repaired_is_not_used_again(string answer)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Request("a"));
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync(answer);
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith(answer[..12]));
        Assert.That((await proxy.ExchangeAsync()).Error.IsError, Is.False);
        await origin.ReadToEndAsync();
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_request_trailers_that_are_too_large_are_called_so()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + new string('y', 20_000));
        Assert.That(
            await proxy.Client.ReadHeadAsync(),
            Does.StartWith("HTTP/1.1 431 Request Header Fields Too Large").And.Contain("cause=request_head_too_large"));
    }

    private static string Request(string host, string fields = "") => $"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n";
}
