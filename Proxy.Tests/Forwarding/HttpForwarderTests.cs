using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Tests.Forwarding;

/// <summary>One request at a time: what is rewritten, each kind of body, early answers, upgrades.</summary>
[TestFixture(HttpForwarderHarness.Sockets)]
[TestFixture(HttpForwarderHarness.Loops)]
public sealed class HttpForwarderTests(string engine)
{
    private const int Limit = 10_000;

    private const string Get = "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n";

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_request_is_rewritten_and_hop_by_hop_fields_are_dropped()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(
            "GET http://h:8080/p?q HTTP/1.1\r\nUser-Agent: t\r\nHost: other\r\nProxy-Connection: keep-alive\r\nConnection: X-Hop, "
                + "keep-alive\r\nX-Hop: 1\r\n"
            + "Keep-Alive: 5\r\nTE: trailers, deflate\r\nUpgrade: websocket\r\nProxy-Authorization: Basic YTpi\r\nAuthorization: Basic "
            + "Yzpk\r\n"
            + "Proxy-Authenticate: x\r\nHTTP2-Settings: x\r\nx-CASE:  kept  \r\nCookie: a\r\nCookie: b\r\n\r\n");
        using var origin = await proxy.OriginAsync();
        Assert.That(await origin.ReadHeadAsync(), Is.EqualTo(
            "GET /p?q HTTP/1.1\r\nHost: h:8080\r\nUser-Agent: t\r\nAuthorization: Basic Yzpk\r\nx-CASE: kept\r\nCookie: a\r\nCookie: b\r\n"
            + "TE: trailers\r\nConnection: TE\r\n\r\n"));
        await origin.SendAsync(
            "HTTP/1.1 200 Fine\r\nServer: s\r\nConnection: X-Gone\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: Basic\r\n"
                + "Upgrade: h2c\r\n"
            + "Content-Length: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nok");
        Assert.That(await proxy.Client.ReadThroughAsync("\r\n\r\nok"), Is.EqualTo(
            "HTTP/1.1 200 Fine\r\nServer: s\r\nContent-Length: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nok"));
        var exchange = await proxy.ExchangeAsync();
        Assert.That((exchange.Status, exchange.WorkerId, exchange.Attempts, exchange.Error.IsError), Is.EqualTo((200, "w1", 1, false)));
        Assert.That(exchange.Request!.Credentials!.User, Is.EqualTo("a"));
        Assert.That(proxy.Counters.FromUpstream, Is.EqualTo(exchange.FromUpstream));
    }

    [TestCase("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\n")]
    [TestCase("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n", "GET /?q HTTP/1.1\r\n")]
    [TestCase("GET http://H.:0080/ HTTP/1.1\r\nHost: H.:0080\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n")]
    [TestCase("GET http://H:0081/ HTTP/1.1\r\nHost: H\r\n\r\n", "GET / HTTP/1.1\r\nHost: h:81\r\n\r\n")]
    [TestCase("GET http://[0:0::1]/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n")]
    [TestCase("GET http://me:secret@h/p HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n", "GET /p HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n")]
    [TestCase("OPTIONS http://h HTTP/1.1\r\nHost: h\r\nMax-Forwards: 7\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: 6\r\n")]
    [TestCase("OPTIONS http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS / HTTP/1.1\r\n")]
    [TestCase("GET http://h/ HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")]
    [TestCase(
        "FROB http://[::1]:8/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "FROB / HTTP/1.1\r\nHost: [::1]:8\r\nConnection: close\r\n\r\n")]
    [TestCase(
        "POST http://h/ HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\n\r\n")]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_request_line_in_origin_form(string request, string expected)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(request);
        using var origin = await proxy.OriginAsync(request.Contains("::1", StringComparison.Ordinal) ? "::1" : "h");
        Assert.That(await origin.ReadHeadAsync(), Does.StartWith(expected));
    }

    [TestCase("Content-Length: 11\r\n\r\nhello world", "Content-Length: 11\r\n\r\nhello world")]
    [TestCase(
        "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n")]
    [TestCase(
        "Trailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\nContent-Length: 5\r\nHost: evil\r\nAuthorization: "
            + "x\r\n\r\n",
        "Trailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n")]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_request_body_arrives_whole(string sent, string expected)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync("POST http://h/ HTTP/1.1\r\nHost: h\r\n" + sent);
        using var origin = await proxy.OriginAsync();
        Assert.That(
            await origin.ReadAsync("POST / HTTP/1.1\r\nHost: h\r\n".Length + expected.Length),
            Is.EqualTo("POST / HTTP/1.1\r\nHost: h\r\n" + expected));
        await origin.SendAsync("HTTP/1.1 204 No\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Is.EqualTo("HTTP/1.1 204 No\r\n\r\n"));
    }

    // response, what the client gets, whether the connection goes on
    private static readonly object[][] Responses =
    [
        ["length", Get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true],
        ["empty", Get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true],
        [
            "chunked", Get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true,
        ],
        [
            "trailers", Get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\nSet-Cookie: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", true,
        ],
        [
            "HEAD", "HEAD http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true,
        ],
        [
            "304", Get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n", true,
        ],
        ["204", Get, "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n", true],
        [
            "HEAD, both", "HEAD http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            true,
        ],
        [
            "304, both", Get, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true,
        ],
        ["204, both", Get, "HTTP/1.1 204 No\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n", true],
        [
            "interim, both", Get, "HTTP/1.1 103 Early\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 No\r\n\r\n", true,
        ],
        ["205", Get, "HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nok", true],
        [
            "keep-alive; timeout", Get, "HTTP/1.1 200 OK\r\nConnection: keep-alive; timeout=5\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true,
        ],
        [
            "bare LF in chunks", Get, "HTTP/2.0 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true,
        ],
        [
            "interim", Get, "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 204 No\r\n\r\n", true,
        ],
        [
            "interim, 1.0", "GET http://h/ HTTP/1.0\r\n\r\n", "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", false,
        ],
        [
            "chunked to 1.0", "GET http://h/ HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", false,
        ],
        [
            "origin closes", Get, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            true,
        ],
        [
            "client closes", "GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", false,
        ],
        [
            "bare LF", Get, "HTTP/1.1 200 OK\nContent-Length : 1\nX: a\n b\n\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: a  b\r\n\r\nx", true,
        ],
        [
            "426", Get, "HTTP/1.1 426 Upgrade\r\nUpgrade: x/1\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 426 Upgrade\r\nUpgrade: x/1\r\nContent-Length: 0\r\nConnection: Upgrade\r\n\r\n", true,
        ],
    ];

    private static IEnumerable<TestCaseData> ResponseCases() =>
        Responses.Select(row => new TestCaseData(row[1], row[2], row[3], row[4]).SetArgDisplayNames((string)row[0]));

    [TestCaseSource(nameof(ResponseCases))]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_response_is_forwarded(string request, string response, string expected, bool goesOn)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(request);
        using var origin = await proxy.OriginAsync();
        await origin.ReadHeadAsync();
        await origin.SendAsync(response);
        Assert.That(await proxy.Client.ReadAsync(expected.Length), Is.EqualTo(expected));
        Assert.That((await proxy.ExchangeAsync()).Error.IsError, Is.False);
        await AssertEndAsync(proxy, goesOn);
    }

    [TestCaseSource(nameof(ResponseCases))]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_slow_peers_byte_by_byte_get_the_same(string request, string response, string expected, bool goesOn)
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendByteByByteAsync(request);
        using var origin = await proxy.OriginAsync();
        await origin.ReadHeadAsync();
        await origin.SendByteByByteAsync(response);
        string head = await proxy.Client.ReadThroughAsync("\r\n\r\n");
        Assert.That(expected, Does.StartWith(head));
        if (!expected.Contains("chunked", StringComparison.Ordinal))
            Assert.That(await proxy.Client.ReadAsync(expected.Length - head.Length), Is.EqualTo(expected[head.Length..]));
        else
            Assert.That(await proxy.Client.ReadThroughAsync("0\r\n"), Is.Not.Empty);
        Assert.That((await proxy.ExchangeAsync()).Error.IsError, Is.False);
        Assert.That(goesOn || await proxy.Client.ReadToEndAsync() == "", Is.True);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_response_until_close_ends_with_the_client_connection()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(Get);
        using var origin = await proxy.OriginAsync();
        await origin.ReadHeadAsync();
        await origin.SendAsync("HTTP/1.1 200 OK\r\n\r\nall of it");
        origin.Close();
        Assert.That(await proxy.Client.ReadToEndAsync(), Is.EqualTo("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"));
        Assert.That(proxy.Client.WasReset, Is.False);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_large_bodies_both_ways_arrive_unchanged()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        var random = new Random(3);
        string up = new([.. Enumerable.Range(0, 700_000).Select(_ => (char)random.Next(256))]);
        var sending = proxy.Client.SendAsync($"PUT http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: {up.Length}\r\n\r\n{up}");
        using var origin = await proxy.OriginAsync();
        await origin.ReadHeadAsync();
        Assert.That(await origin.ReadAsync(up.Length) == up, Is.True);
        await sending;
        var answering = origin.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {up.Length}\r\n\r\n{up}");
        Assert.That(await proxy.Client.ReadHeadAsync(), Is.EqualTo($"HTTP/1.1 200 OK\r\nContent-Length: {up.Length}\r\n\r\n"));
        Assert.That(await proxy.Client.ReadAsync(up.Length) == up, Is.True);
        await answering;
        Assert.That((await proxy.ExchangeAsync()).Error, Is.EqualTo(ProxyError.None));
        await AssertEndAsync(proxy, goesOn: true);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_expect_continue_passes_end_to_end()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync("POST http://h/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
        using var origin = await proxy.OriginAsync();
        Assert.That(await origin.ReadHeadAsync(), Does.Contain("Expect: 100-continue"));
        await origin.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Is.EqualTo("HTTP/1.1 100 Continue\r\n\r\n"));
        await proxy.Client.SendAsync("body");
        Assert.That(await origin.ReadAsync(4), Is.EqualTo("body"));
        await origin.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        await AssertEndAsync(proxy, goesOn: true);
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_answer_before_the_body_is_forwarded_and_the_connection_ends()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync("POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\npart");
        using var origin = await proxy.OriginAsync();
        await origin.ReadThroughAsync("part");
        await origin.SendAsync("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
        Assert.That(
            await proxy.Client.ReadToEndAsync(), Is.EqualTo("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"));
        await proxy.Client.SendAsync(new string('x', 996));
        proxy.Client.ShutdownSend();
        Assert.That((await proxy.EndedAsync()).Kind, Is.EqualTo(Served.Ended));
        Assert.That(proxy.Client.WasReset, Is.False);
        Assert.That((await proxy.ExchangeAsync()).Status, Is.EqualTo(413));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ForwardAsync_upgrade_hands_both_connections_over_with_the_bytes_behind()
    {
        await using var proxy = await HttpForwarderHarness.StartAsync(engine);
        await proxy.Client.SendAsync(
            "GET http://h/ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
                + "k\r\n\r\nEARLY");
        using var origin = await proxy.OriginAsync();
        Assert.That(
            await origin.ReadHeadAsync(),
            Is.EqualTo("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\n\r\n"));
        await origin.SendAsync(
            "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\nBEHIND");
        Assert.That(await proxy.Client.ReadThroughAsync("BEHIND"), Is.EqualTo(
            "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\nConnection: Upgrade\r\n\r\nBEHIND"));
        Assert.That(await origin.ReadAsync(5), Is.EqualTo("EARLY"));
        await proxy.Client.SendAsync("more");
        Assert.That(await origin.ReadAsync(4), Is.EqualTo("more"));
        proxy.Client.ShutdownSend();
        origin.ShutdownSend();
        var outcome = await proxy.EndedAsync();
        Assert.That((outcome.Kind, outcome.Request!.Target.Host), Is.EqualTo((Served.Tunnel, "h")));
        Assert.That((await proxy.ExchangeAsync()).Status, Is.EqualTo(101));
        Assert.That(proxy.HeadFields, Is.Zero, "a tunnel keeps no buffer");
    }

    /// <summary>Goes on: another request on the same client connection is served. Else: FIN, nothing more.</summary>
    private static async Task AssertEndAsync(HttpForwarderHarness proxy, bool goesOn)
    {
        if (!goesOn)
        {
            Assert.That(await proxy.Client.ReadToEndAsync(), Is.Empty);
            Assert.That(proxy.Client.WasReset, Is.False);
            return;
        }

        await proxy.Client.SendAsync("GET http://next/ HTTP/1.1\r\nHost: next\r\n\r\n");
        using var origin = await proxy.OriginAsync("next");
        await origin.ReadHeadAsync();
        await origin.SendAsync("HTTP/1.1 200 Next\r\nContent-Length: 0\r\n\r\n");
        Assert.That(await proxy.Client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 200 Next"));
        Assert.That((await proxy.ExchangeAsync()).Error, Is.EqualTo(ProxyError.None));
    }
}
