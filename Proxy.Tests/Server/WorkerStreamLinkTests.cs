using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using TorBalancer.Admin.Fetch;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Server;

/// <summary>What connections over a link tell of their worker: each once, whatever protocol the client speaks.</summary>
[CancelAfter(30_000)]
public sealed class WorkerStreamLinkTests
{
    private const string Get = "GET http://198.51.100.7/ HTTP/1.1\r\nHost: 198.51.100.7\r\n\r\n";
    private const string Post = "POST http://198.51.100.7/ HTTP/1.1\r\nHost: 198.51.100.7\r\nContent-Length: 1\r\n\r\nx";
    private const string Connect = "CONNECT 198.51.100.7:443 HTTP/1.1\r\nHost: 198.51.100.7:443\r\n\r\n";
    private const string Upgrade = "GET http://198.51.100.7/ HTTP/1.1\r\nHost: 198.51.100.7\r\nConnection: Upgrade\r\nUpgrade: "
        + "websocket\r\n\r\n";
    private const string Switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    private const string Answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private TcpListener _transPort = null!;
    private RecordingOutcomes _outcomes = null!;

    [SetUp]
    public void Start()
    {
        _transPort = new TcpListener(IPAddress.Loopback, 0);
        _transPort.Start();
        _outcomes = new RecordingOutcomes();
    }

    [TearDown]
    public void Stop() => _transPort.Dispose();

    [Test]
    public async Task Kept_connection_that_closes_says_nothing_of_the_worker(CancellationToken token)
    {
        await using (var proxy = await ProxyAsync())
        await using (var client = await proxy.ConnectAsync())
        {
            await SendAsync(client, Get, token);
            using var origin = await _transPort.AcceptSocketAsync(token);
            await ReceiveAsync(origin, "\r\n\r\n", token);
            await origin.SendAsync(Encoding.ASCII.GetBytes(Answer), token);
            await ReadAsync(client, "ok", token);

            // Not to be repeated, so it ends with the connection.
            await SendAsync(client, Post, token);
            await ReceiveAsync(origin, "\r\n\r\nx", token);
            origin.Close();
            Assert.That(await ReadAsync(client, "\r\n\r\n", token), Does.StartWith("HTTP/1.1 502 "));
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "succeeded", "ended" }), "it had its first byte long ago");
    }

    [Test]
    public async Task Upgraded_request_is_accounted_for_as_any_stream(CancellationToken token)
    {
        WorkerState worker;
        await using (var proxy = await ProxyAsync())
        {
            worker = proxy.Pool.Find("w")!;
            await using (var client = await proxy.ConnectAsync())
            {
                await SendAsync(client, Upgrade, token);
                using var origin = await _transPort.AcceptSocketAsync(token);
                await ReceiveAsync(origin, "\r\n\r\n", token);
                await origin.SendAsync(Encoding.ASCII.GetBytes(Switched), token);
                await ReadAsync(client, "\r\n\r\n", token);
                await SendAsync(client, "hello", token);
                await ReceiveAsync(origin, "hello", token);
                await origin.SendAsync("welcome"u8.ToArray(), token);
                await ReadAsync(client, "welcome", token);
                origin.Close();
            }

            await proxy.Log.WaitForAsync("access", 1, token);
            Assert.That(worker.Active, Is.Zero);
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "succeeded", "ended" }));
        Assert.That(worker.BytesReceived, Is.EqualTo(Switched.Length + "welcome".Length), "each byte once");
        Assert.That(worker.BytesSent, Is.GreaterThan("hello".Length), "the head of the request counts too");
    }

    [Test]
    public async Task New_connection_that_closes_without_an_answer_counts_once(CancellationToken token)
    {
        await using (var proxy = await ProxyAsync())
        await using (var client = await proxy.ConnectAsync())
        {
            await SendAsync(client, Post, token);
            using var origin = await _transPort.AcceptSocketAsync(token);
            await ReceiveAsync(origin, "\r\n\r\nx", token);
            origin.Close();
            Assert.That(await ReadAsync(client, "\r\n\r\n", token), Does.StartWith("HTTP/1.1 502 "));
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte" }));
    }

    [Test]
    public async Task Tunnel_behind_a_request_is_accounted_for_by_itself(CancellationToken token)
    {
        await using (var proxy = await ProxyAsync())
        {
            await using (var client = await proxy.ConnectAsync())
            {
                await SendAsync(client, Get, token);
                using var first = await _transPort.AcceptSocketAsync(token);
                await ReceiveAsync(first, "\r\n\r\n", token);
                await first.SendAsync(Encoding.ASCII.GetBytes(Answer), token);
                await ReadAsync(client, "ok", token);

                await SendAsync(client, Connect, token);
                using var second = await _transPort.AcceptSocketAsync(token);
                await ReadAsync(client, "\r\n\r\n", token);
                await SendAsync(client, "hello", token);
                await ReceiveAsync(second, "hello", token);
                await second.SendAsync("world"u8.ToArray(), token);
                await ReadAsync(client, "world", token);
                second.Close();
            }

            await proxy.Log.WaitForAsync("access", 1, token);
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "succeeded", "ended", "succeeded", "ended" }));
    }

    [Test]
    public async Task Silence_and_the_reset_after_it_count_once(CancellationToken token)
    {
        await using (var proxy = await ProxyAsync(TimeSpan.FromMilliseconds(20)))
        await using (var client = await proxy.ConnectAsync())
        {
            await SendAsync(client, Connect, token);
            using var origin = await _transPort.AcceptSocketAsync(token);
            await ReadAsync(client, "\r\n\r\n", token);
            await SendAsync(client, "hello", token);
            await _outcomes.First.WaitAsync(token);

            // RST instead of FIN.
            origin.LingerState = new LingerOption(true, 0);
            origin.Close();
            await ReadToEndAsync(client, token);
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte" }));
    }

    [Test]
    public async Task Fetch_that_is_answered_counts_for_the_worker(CancellationToken token)
    {
        await using (var proxy = await ProxyAsync())
        {
            var fetch = FetchAsync(proxy, token);
            using var origin = await _transPort.AcceptSocketAsync(token);
            await ReceiveAsync(origin, "\r\n\r\n", token);
            await origin.SendAsync(Encoding.ASCII.GetBytes(Answer), token);
            using var result = await fetch;
            byte[] body = new byte[3];
            Assert.That(body[..result.Body!.CopyTo(0, body)], Is.EqualTo("ok"u8.ToArray()));
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "succeeded", "ended" }));
    }

    [TestCase("http://198.51.100.7/", "\r\n\r\n")]
    [TestCase("https://198.51.100.7/", "\u0003", Description = "the version in a ClientHello; HttpClient blames TLS for the end")]
    public async Task Fetch_without_an_answer_counts_once(string url, string heard, CancellationToken token)
    {
        await using (var proxy = await ProxyAsync())
        {
            var fetch = FetchAsync(proxy, token, url);
            using (var origin = await _transPort.AcceptSocketAsync(token))
                await ReceiveAsync(origin, heard, token);
            var result = await fetch;
            Assert.That(result.Success, Is.False);
            Assert.That(result.Error?.Cause, Is.EqualTo("target_closed"));
        }

        Assert.That(_outcomes.Told, Is.EqualTo(new[] { "no_first_byte" }));
    }

    private static Task<FetchResult> FetchAsync(ProxyUnderTest proxy, CancellationToken token, string url = "http://198.51.100.7/") =>
        proxy.Get<FetchEngine>().FetchAsync(new FetchRequest { Url = new Uri(url), Timeout = TimeSpan.FromSeconds(25) }, token);

    private Task<ProxyUnderTest> ProxyAsync(TimeSpan firstByteTimeout = default) => ProxyUnderTest.StartAsync(
        [new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1), Link: new WireGuardLink("wg0", IPAddress.Parse("10.201.1.1")))],
        options => (options.Route.FirstByteTimeout, options.Route.Isolated) = (firstByteTimeout, IsolatedRoute.AsRouted),
        replace: services =>
            services.AddSingleton<ITransport>(new LinkTransport(_transPort.LocalEndpoint)).AddSingleton<IOutcomeSink>(_outcomes));

    private static async Task SendAsync(NetworkStream client, string text, CancellationToken token) =>
        await client.WriteAsync(Encoding.ASCII.GetBytes(text), token);

    private static Task<string> ReceiveAsync(Socket socket, string end, CancellationToken token) =>
        ReadAsync(new NetworkStream(socket), end, token);

    /// <summary>Reads until this has come.</summary>
    private static async Task<string> ReadAsync(NetworkStream stream, string end, CancellationToken token)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        while (!text.ToString().Contains(end, StringComparison.Ordinal))
        {
            int count = await stream.ReadAsync(buffer, token);
            Assert.That(count, Is.Positive, $"it ended after: {text}");
            text.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        return text.ToString();
    }

    private static async Task ReadToEndAsync(NetworkStream stream, CancellationToken token)
    {
        try
        {
            while (await stream.ReadAsync(new byte[4096], token) > 0)
            {
            }
        }
        catch (IOException)
        {
            // A reset is an end as well.
        }
    }
}
