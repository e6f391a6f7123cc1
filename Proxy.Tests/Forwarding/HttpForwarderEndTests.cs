using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Tests.Forwarding;

/// <summary>How the client's side is left when an answer was cut, or is ours.</summary>
[TestFixture(HttpForwarderHarness.Sockets)]
[TestFixture(HttpForwarderHarness.Loops)]
public sealed class HttpForwarderEndTests(string engine)
{
    private const int Limit = 10_000;

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_framing_that_fails_behind_bytes_the_client_has_resets_it()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        await proxy.Client.ReadThroughAsync("half\r\n");
        await origin.SendAsync("zz\r\n");
        Assert.That(await proxy.Client.ReadToEndAsync(), Does.Not.Contain("\r\n0\r\n"));
        Assert.That(proxy.Client.WasReset, Is.True);
        Assert.That((await proxy.ExchangeAsync()).Error.Cause, Is.EqualTo(FailureCause.TargetProtocol));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_page_of_ours_waits_for_the_client_when_the_upstream_was_let_go()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync("POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nabc");
        var origin = await proxy.OriginAsync("a");
        await origin.ReadHeadAsync();
        await origin.SendAsync("nonsense\r\n\r\n");
        await origin.ReadToEndAsync();
        Assert.That((await proxy.ExchangeAsync()).Status, Is.EqualTo(502), "told while the client may still send");
        Assert.That(await proxy.Client.ReadToEndAsync(), Does.StartWith("HTTP/1.1 502 "));
        Assert.That((proxy.Outcome.Task.IsCompleted, proxy.Client.WasReset), Is.EqualTo((false, false)));
        proxy.Client.ShutdownSend();
        Assert.That((await proxy.EndedAsync()).Farewell, Is.EqualTo(ClientFarewell.Finish));
    }
}
