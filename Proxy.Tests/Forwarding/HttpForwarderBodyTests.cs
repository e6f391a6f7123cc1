using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Tests.Forwarding;

/// <summary>Bodies that are long enough to go past the process, where the engine can do that.</summary>
[TestFixture(HttpForwarderHarness.Sockets)]
[TestFixture(HttpForwarderHarness.Loops)]
[TestFixture(HttpForwarderHarness.LoopsWithoutPipes)]
public sealed class HttpForwarderBodyTests(string engine)
{
    private const int Limit = 20_000;
    private const string Get = "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n";

    /// <summary>Every byte by its place: what is lost, doubled or exchanged shows.</summary>
    private static readonly byte[] Body =
        [.. Enumerable.Range(0, 3_000_000).Select(static at => (byte)('0' + ((at * 2654435761L >> 13) % 64)))];

    private static readonly string BodyText = Encoding.Latin1.GetString(Body);

    [TestCase(1_000)]
    [TestCase(16_384)]
    [TestCase(40_000)]
    [TestCase(3_000_000)]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_long_answer_arrives_whole_and_both_connections_go_on(int length)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Get);
        using var origin = await proxy.OriginAsync();
        for (int i = 0; i < 3; i++)
        {
            await origin.ReadHeadAsync();
            string head = $"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n";
            var sending = origin.SendAsync([.. Encoding.Latin1.GetBytes(head), .. Body[..length]]);
            Assert.That(await proxy.Client.ReadAsync(head.Length + length), Is.EqualTo(head + BodyText[..length]));
            await sending;
            var exchange = await proxy.ExchangeAsync();
            Assert.That(exchange.Error.IsError, Is.False);
            Assert.That(exchange.FromUpstream, Is.EqualTo(head.Length + length));
            await proxy.Client.SendAsync(Get);
        }

        Assert.That(await origin.ReadHeadAsync(), Does.StartWith("GET / "));
        Assert.That(proxy.Counters.FromUpstream, Is.GreaterThan(3L * length));
    }

    [TestCase(40_000)]
    [TestCase(3_000_000)]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_long_request_body_arrives_whole_and_both_connections_go_on(int length)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        string head = $"PUT http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n";
        for (int i = 0; i < 3; i++)
        {
            var sending = proxy.Client.SendAsync([.. Encoding.Latin1.GetBytes(head), .. Body[..length]]);
            var origin = i == 0 ? _origin = await proxy.OriginAsync() : _origin!;
            await origin.ReadHeadAsync();
            Assert.That(await origin.ReadAsync(length), Is.EqualTo(BodyText[..length]));
            await sending;
            await origin.SendAsync("HTTP/1.1 204 No\r\n\r\n");
            Assert.That(await proxy.Client.ReadHeadAsync(), Is.EqualTo("HTTP/1.1 204 No\r\n\r\n"));
            Assert.That((await proxy.ExchangeAsync()).FromClient, Is.GreaterThan(length));
        }

        Assert.That(proxy.Connects, Has.Count.EqualTo(1));
        _origin!.Dispose();
    }

    private Support.ScriptedPeer? _origin;

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_long_answer_that_breaks_off_does_not_look_whole([Values] bool reset)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Get);
        using var origin = await proxy.OriginAsync();
        await origin.ReadHeadAsync();
        await origin.SendAsync([.. "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"u8, .. Body[..500_000]]);
        await proxy.Client.ReadThroughAsync(BodyText[400_000..500_000]);
        if (reset)
            origin.Reset();
        else
            origin.Close();
        await proxy.Client.ReadToEndAsync();
        Assert.That(proxy.Client.WasReset, Is.True);
        Assert.That((await proxy.ExchangeAsync()).Error.Cause, Is.EqualTo(FailureCause.TargetClosed));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_client_that_leaves_within_a_long_answer_ends_the_exchange()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Get);
        using var origin = await proxy.OriginAsync();
        await origin.ReadHeadAsync();
        await origin.SendAsync([.. "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"u8, .. Body[..100_000]]);
        await proxy.Client.ReadThroughAsync(BodyText[90_000..100_000]);
        proxy.Client.Reset();
        Assert.That((await proxy.ExchangeAsync()).Error.Cause, Is.EqualTo(FailureCause.ClientClosed));
        await origin.ReadToEndAsync();
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_client_that_leaves_within_a_long_request_ends_the_exchange()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(
            [.. "PUT http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n"u8, .. Body[..100_000]]);
        using var origin = await proxy.OriginAsync();
        await origin.ReadThroughAsync(BodyText[90_000..100_000]);
        proxy.Client.Close();
        Assert.That((await proxy.ExchangeAsync()).Error.Cause, Is.EqualTo(FailureCause.ClientClosed));
        await origin.ReadToEndAsync();
        Assert.That(origin.WasReset, Is.True);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_answer_before_the_end_of_a_long_request_reaches_the_client()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(
            [.. "PUT http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n"u8, .. Body[..100_000]]);
        using var origin = await proxy.OriginAsync();
        await origin.ReadThroughAsync(BodyText[90_000..100_000]);
        await origin.SendAsync("HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\nno");
        Assert.That(
            await proxy.Client.ReadThroughAsync("\r\n\r\nno"),
            Is.EqualTo("HTTP/1.1 413 Too large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"));
        Assert.That((await proxy.ExchangeAsync()).Status, Is.EqualTo(413));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_request_that_came_with_the_body_before_it_is_served()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        string head = "PUT http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
        await proxy.Client.SendAsync([.. Encoding.Latin1.GetBytes(head), .. Body[..100_000], .. Encoding.Latin1.GetBytes(Get)]);
        using var origin = await proxy.OriginAsync();
        await origin.ReadThroughAsync(BodyText[90_000..100_000]);
        await origin.SendAsync("HTTP/1.1 204 No\r\n\r\n");
        Assert.That(await origin.ReadHeadAsync(), Is.EqualTo("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
}
