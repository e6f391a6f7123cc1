using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Testnet.Origin;

namespace TorBalancer.Tests.Testnet.Origin;

public sealed class OriginTests
{
    private LoopbackServer _server = null!;
    private HttpClient _client = null!;

    [SetUp]
    public void Start()
    {
        var exits = new Dictionary<IPAddress, string> { [IPAddress.Parse("127.0.31.2")] = "e02" };
        _server = LoopbackServer.Start(
            [new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.Parse("127.0.31.2"), 0)],
            new OriginHandler(exits, TimeProvider.System).RunAsync);
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
        {
            BaseAddress = new Uri($"http://{_server.LocalEndPoints[0]}"),
        };
    }

    [TearDown]
    public async Task StopAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task Exit_page_tells_the_address_that_was_connected_to(CancellationToken cancellationToken)
    {
        Assert.That(await _client.GetStringAsync("/exit", cancellationToken), Is.EqualTo("unknown\n"));
        Assert.That(await _client.GetStringAsync($"http://{_server.LocalEndPoints[1]}/exit", cancellationToken), Is.EqualTo("e02\n"));
    }

    [TestCase("/bytes/100000", 100_000, false)]
    [TestCase("/bytes/0", 0, false)]
    [TestCase("/chunked/100000", 100_000, true)]
    [TestCase("/chunked/0", 0, true)]
    [CancelAfter(10_000)]
    public async Task Pattern_page_has_its_bytes_and_framing(string path, int length, bool chunked, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await _client.GetAsync(path, cancellationToken);
        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken);

        Assert.That(body, Has.Length.EqualTo(length));
        Assert.That(TestPattern.Matches(0, body), Is.True);
        Assert.That(response.Headers.TransferEncodingChunked ?? false, Is.EqualTo(chunked));
    }

    [TestCase(false)]
    [TestCase(true)]
    [CancelAfter(10_000)]
    public async Task Echo_page_returns_the_body(bool chunked, CancellationToken cancellationToken)
    {
        byte[] sent = new byte[300_000];
        TestPattern.Fill(9, sent);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/echo") { Content = new ByteArrayContent(sent) };
        request.Headers.TransferEncodingChunked = chunked;
        request.Headers.ExpectContinue = true;

        using HttpResponseMessage response = await _client.SendAsync(request, cancellationToken);

        Assert.That(await response.Content.ReadAsByteArrayAsync(cancellationToken), Is.EqualTo(sent));
    }

    [TestCase(204)]
    [TestCase(302)]
    [TestCase(304)]
    [TestCase(503)]
    [CancelAfter(10_000)]
    public async Task Status_page_answers_with_that_status(int status, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await _client.GetAsync($"/status/{status}", cancellationToken);
        Assert.That((int)response.StatusCode, Is.EqualTo(status));
    }

    [TestCase("/status/199")]
    [TestCase("/bytes/-1")]
    [TestCase("/nothing")]
    [CancelAfter(10_000)]
    public async Task Unknown_page_is_404(string path, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await _client.GetAsync(path, cancellationToken);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task Slow_page_answers(CancellationToken cancellationToken) =>
        Assert.That(await _client.GetStringAsync("/slow/20", cancellationToken), Is.EqualTo("waited 20 ms\n"));

    [Test]
    [CancelAfter(10_000)]
    public async Task Headers_page_returns_the_head_as_it_came(CancellationToken cancellationToken)
    {
        const string Request = "GET http://h:1/headers?x=1 HTTP/1.1\r\nhOsT:  a \r\nX-Twice: 1\r\nX-Twice: 2\r\nConnection: close\r\n\r\n";
        string response = await TalkAsync(Request, cancellationToken);
        Assert.That(response, Does.StartWith("HTTP/1.1 200 OK\r\n"));
        Assert.That(response, Does.EndWith("\r\n\r\n" + Request));
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task Connection_carries_several_requests_and_head_has_no_body(CancellationToken cancellationToken)
    {
        string response = await TalkAsync(
            "HEAD /bytes/5 HTTP/1.1\r\n\r\nPOST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /exit HTTP/1.0\r\n\r\n",
            cancellationToken);
        Assert.That(response, Is.EqualTo(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3\r\n\r\nabc"
            + "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 8\r\nConnection: close\r\n\r\nunknown\n"));
    }

    [TestCase("GARBAGE\r\n\r\n", "HTTP/1.1 400 ")]
    [TestCase("GET / HTTP/2\r\n\r\n", "HTTP/1.1 400 ")]
    [TestCase("POST /echo HTTP/1.1\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 413 ")]
    [TestCase("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 413 ")]
    [CancelAfter(10_000)]
    public async Task Malformed_request_is_refused_and_ends_the_connection(
        string request, string expected, CancellationToken cancellationToken) =>
        Assert.That(await TalkAsync(request, cancellationToken), Does.StartWith(expected));

    [Test]
    [CancelAfter(10_000)]
    public async Task Dispose_ends_open_connections(CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_server.LocalEndPoints[0], cancellationToken);
        await socket.SendAsync("GET /exit HTTP/1.1\r\n\r\n"u8.ToArray(), SocketFlags.None, cancellationToken);
        byte[] buffer = new byte[1000];
        Assert.That(await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken), Is.GreaterThan(0));

        await _server.DisposeAsync();

        Assert.That(await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken), Is.Zero);
        await Assert.ThatAsync(() => TalkAsync("", cancellationToken), Throws.InstanceOf<SocketException>());
    }

    [Test]
    public void Start_address_off_loopback_is_refused() => Assert.That(
        () => LoopbackServer.Start([new IPEndPoint(IPAddress.Any, 0)], EchoHandler.RunAsync), Throws.ArgumentException);

    [Test]
    [CancelAfter(10_000)]
    public async Task Echo_server_returns_bytes_and_fin(CancellationToken cancellationToken)
    {
        await using LoopbackServer echo = LoopbackServer.Start([new IPEndPoint(IPAddress.Loopback, 0)], EchoHandler.RunAsync);
        Assert.That(await TalkAsync(echo.LocalEndPoints[0], "to and fro", cancellationToken), Is.EqualTo("to and fro"));
    }

    private Task<string> TalkAsync(string request, CancellationToken cancellationToken) =>
        TalkAsync(_server.LocalEndPoints[0], request, cancellationToken);

    /// <summary>Sends it and FIN, and reads to the end.</summary>
    private static async Task<string> TalkAsync(IPEndPoint server, string request, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, cancellationToken);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), cancellationToken);
        socket.Shutdown(SocketShutdown.Send);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}
