using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Server;
using TorBalancer.Tests.Protocols.ProxyProtocol;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Clients who come through a balancer that says who they are.</summary>
[CancelAfter(30_000)]
public class ProxyProtocolTests
{
    private static readonly ProxyProtocolPeers Loopback = new(false, [IPNetwork.Parse("127.0.0.1/32")]);

    private FakeTorWorker _worker = null!;

    [SetUp]
    public void Start() => _worker = new FakeTorWorker();

    [TearDown]
    public async Task StopAsync() => await _worker.DisposeAsync();

    private static IEnumerable<byte[]> Headers() => [ProxyHeaders.Text("192.0.2.7"), ProxyHeaders.Binary("192.0.2.7", 4, 0, 1, 0)];

    [Test]
    public async Task Whose_address_a_balancer_says_is_the_client_and_nothing_behind_it_is_lost(
        [ValueSource(nameof(Headers))] byte[] header, [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine,
        CancellationToken token)
    {
        await using var proxy = await StartAsync(options => options.Engine.Transport = engine);
        await using var client = await proxy.ConnectAsync();

        // Header, greeting, request and data of a client that waits for nothing.
        await client.WriteAsync((byte[])[.. header, 5, 1, 0, .. SocksClient.Request("a.example", 80), .. "first"u8], token);
        Assert.That(await SocksClient.ReadAsync(client, 2, token), Is.EqualTo(new byte[] { 5, 0 }));
        Assert.That((await SocksClient.ReadReplyAsync(client, token))[1], Is.Zero);
        Assert.That(await SocksClient.ReadAsync(client, 5, token), Is.EqualTo("first"u8.ToArray()));
        client.Socket.Shutdown(SocketShutdown.Send);
        await SocksClient.ReadToEndAsync(client, token);

        Assert.That(Client((await proxy.Log.WaitForConnectionsAsync(1, token)).Single()), Is.EqualTo("192.0.2.7"));
    }

    [Test]
    public async Task Header_may_come_byte_by_byte(
        [ValueSource(nameof(Headers))] byte[] header, [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine,
        CancellationToken token)
    {
        await using var proxy = await StartAsync(options => options.Engine.Transport = engine);
        await using var client = await proxy.ConnectAsync();
        foreach (byte one in header)
        {
            await client.WriteAsync(new[] { one }, token);
            await Task.Yield();
        }

        Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.Zero);
    }

    [Test]
    public async Task Each_client_behind_a_balancer_has_circuits_of_its_own(CancellationToken token)
    {
        await using var proxy = await StartAsync();
        foreach (string address in (string[])["192.0.2.7", "192.0.2.8", "192.0.2.7", "2001:db8::7"])
        {
            await using var client = await proxy.ConnectAsync();
            await client.WriteAsync(ProxyHeaders.Binary(address), token);
            await SocksClient.RequestAsync(client, "a.example", 80, token);
        }

        string?[] tokens = [.. _worker.Requests.Select(static request => request.Password ?? request.User)];
        Assert.That(tokens, Has.None.Null);
        Assert.That(tokens[0], Is.EqualTo(tokens[2]).And.Not.EqualTo(tokens[1]).And.Not.EqualTo(tokens[3]));
    }

    [TestCase("")]
    [TestCase("GET http://a.example/ HTTP/1.1\r\n\r\n")]
    [TestCase("PROXY TCP4 192.0.2.7 198.51.100.300 1 2\r\n")]
    public async Task Balancer_without_a_right_header_is_closed_and_counted(string sent, CancellationToken token)
    {
        await using var proxy = await StartAsync();
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(sent.Length > 0 ? Encoding.ASCII.GetBytes(sent) : [5, 1, 0], token);

        Assert.That(await ReadUntilClosedAsync(client, token), Is.Empty);
        await proxy.Log.WaitForConnectionsAsync(1, token);
        Assert.That(proxy.Log.Entries.Count(static entry => entry.Message.Contains("its PROXY protocol header")), Is.EqualTo(1));
        Assert.That(Counters(proxy).BadHeaders, Is.EqualTo(1));
        Assert.That(_worker.Accepted, Is.Zero);
    }

    [Test]
    public async Task Header_of_anybody_else_is_not_taken([ValueSource(nameof(Headers))] byte[] header, CancellationToken token)
    {
        await using var proxy = await StartAsync(
            static options => options.Listeners[0].ProxyProtocol = new ProxyProtocolPeers(false, [IPNetwork.Parse("127.0.0.9/32")]));
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync((byte[])[.. header, 5, 1, 0], token);

        Assert.That(await ReadUntilClosedAsync(client, token), Is.Empty);
        string line = (await proxy.Log.WaitForConnectionsAsync(1, token)).Single().Message;
        Assert.That(line, Does.Contain("client=127.0.0.1").And.Contain("cause=bad_request"));
        Assert.That(proxy.Log.Entries.Count(static entry => entry.Message.Contains("header that is not taken from it")), Is.EqualTo(1));

        await using var plain = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(plain, "a.example", 80, token))[1], Is.Zero, "others need none");
    }

    [Test]
    public async Task AllowFrom_is_about_the_client_and_not_about_its_balancer(CancellationToken token)
    {
        await using var proxy = await StartAsync(static options => options.Listeners[0].AllowFrom.Add(IPNetwork.Parse("192.0.2.0/24")));
        await using var inside = await proxy.ConnectAsync();
        await inside.WriteAsync(ProxyHeaders.Text("192.0.2.7"), token);
        Assert.That((await SocksClient.RequestAsync(inside, "a.example", 80, token))[1], Is.Zero);

        foreach (byte[] header in (byte[][])[ProxyHeaders.Text("198.51.100.7"), ProxyHeaders.Binary(0x20, 0, [])])
        {
            await using var outside = await proxy.ConnectAsync();
            await outside.WriteAsync((byte[])[.. header, 5, 1, 0], token);
            Assert.That(await ReadUntilClosedAsync(outside, token), Is.Empty);
        }

        var lines = await proxy.Log.WaitForConnectionsAsync(2, token);
        Assert.That(lines.Select(Client), Is.EqualTo((string[])["198.51.100.7", "127.0.0.1"]));
        Assert.That(lines.Select(static line => AccessEntry.Field(line, "cause")), Is.All.EqualTo("client_not_allowed"));
        Assert.That(Counters(proxy).NotAllowed, Is.EqualTo(2));
    }

    [Test]
    public async Task Time_for_the_header_is_the_handshakes(CancellationToken token)
    {
        await using var proxy = await StartAsync(static options => options.Listeners[0].HandshakeTimeout = TimeSpan.FromMilliseconds(200));
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(ProxyHeaders.Text("192.0.2.7").AsMemory(..^1), token);

        Assert.That(await ReadUntilClosedAsync(client, token), Is.Empty);
        Assert.That(
            AccessEntry.Field((await proxy.Log.WaitForConnectionsAsync(1, token)).Single(), "cause"), Is.EqualTo("handshake_timeout"));
    }

    [Test]
    public async Task Balancer_on_a_unix_socket_says_who_its_clients_are(CancellationToken token)
    {
        string directory = Directory.CreateTempSubdirectory("tbp").FullName;
        try
        {
            var place = new UnixDomainSocketEndPoint(Path.Combine(directory, "s"));
            await using var proxy = await StartAsync(options =>
            {
                options.Listeners[0].Address = place;
                options.Listeners[0].ProxyProtocol = new ProxyProtocolPeers(true, []);
            });
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(place, token);
            await using (var client = new NetworkStream(socket, ownsSocket: true))
            {
                await client.WriteAsync(ProxyHeaders.Text("2001:db8::7"), token);
                Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.Zero);
            }

            Assert.That(Client((await proxy.Log.WaitForConnectionsAsync(1, token)).Single()), Is.EqualTo("2001:db8::7"));
        }
        finally
        {
            Directory.Delete(directory, true);
        }
    }

    /// <summary>curl sends the header behind the handshake with a proxy; so it is not told that it has one.</summary>
    [Test]
    public async Task Curl_is_understood()
    {
        using var time = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        _worker.OnStream = AnswerAsync;
        await using var proxy = await StartAsync();
        var result = await ClientProcess.CurlAsync(
            time.Token, "--haproxy-protocol", "--request-target", "http://a.example/", $"http://{proxy.Address}/");

        Assert.That(result.Output, Is.EqualTo("hello"), result.Error);
        Assert.That(Client((await proxy.Log.WaitForAsync("access_request", 1, time.Token)).Single()), Is.EqualTo("127.0.0.1"));
    }

    [TestCase("send-proxy")]
    [TestCase("send-proxy-v2")]
    [TestCase("send-proxy-v2 proxy-v2-options crc32c,unique-id")]
    public async Task HAProxy_in_front_keeps_its_clients_apart(string options, CancellationToken token)
    {
        const string haproxy = "/usr/sbin/haproxy";
        if (!File.Exists(haproxy))
            Assert.Ignore("skipped: haproxy is not installed");
        await using var proxy = await StartAsync();
        string directory = Directory.CreateTempSubdirectory("tbp").FullName;
        try
        {
            string file = Path.Combine(directory, "haproxy.cfg");
            int port = FreePort.Find();
            await File.WriteAllTextAsync(file, $"""
                defaults
                    mode tcp
                    timeout connect 10s
                    timeout client 10s
                    timeout server 10s
                listen front
                    bind 127.0.0.1:{port}
                    unique-id-format %t
                    server gateway {proxy.Address} {options} check inter 50ms

                """, token);
            await using var process = ForegroundProcess.Start([haproxy, "-db", "-f", file]);
            foreach (string address in (string[])["127.0.0.2", "127.0.0.3", "127.0.0.2"])
            {
                await using var client = await ConnectFromAsync(address, port, token);
                Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.Zero);
                client.Socket.Shutdown(SocketShutdown.Send);
                await SocksClient.ReadToEndAsync(client, token);
            }

            var lines = await proxy.Log.WaitForConnectionsAsync(3, token);
            Assert.That(lines.Select(Client), Is.EqualTo((string[])["127.0.0.2", "127.0.0.3", "127.0.0.2"]));
            string?[] tokens = [.. _worker.Requests.Select(static request => request.Password)];
            Assert.That(tokens[0], Is.EqualTo(tokens[2]).And.Not.EqualTo(tokens[1]));

            // Its checks have gone on all the time, and say nothing but that they have come.
            long before = Counters(proxy).Accepted;
            while (Counters(proxy).Accepted < before + 3)
                await Task.Delay(20, token);
            Assert.That(proxy.Log.Entries.Where(static entry => entry.Level > LogLevel.Information), Is.Empty);
            Assert.That(proxy.Log.OfEvent("access").Count(), Is.EqualTo(3));
        }
        finally
        {
            Directory.Delete(directory, true);
        }
    }

    private static string Client(LogEntry line) => AccessEntry.Field(line, "client");

    private static ListenerCounters Counters(ProxyUnderTest proxy) =>
        proxy.Get<ConnectionServices>().Counters.Of(proxy.Server.Listeners.Single());

    /// <summary>To a program that may not listen yet.</summary>
    private static async Task<NetworkStream> ConnectFromAsync(string address, int port, CancellationToken token)
    {
        while (true)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
                await socket.ConnectAsync(IPAddress.Loopback, port, token);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionRefused)
            {
                socket.Dispose();
                await Task.Delay(20, token);
            }
        }
    }

    private static async Task<byte[]> ReadUntilClosedAsync(NetworkStream client, CancellationToken token)
    {
        try
        {
            return await SocksClient.ReadToEndAsync(client, token);
        }
        catch (IOException)
        {
            // What was not read makes a close a reset.
            return [];
        }
    }

    private static async Task AnswerAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        _ = await stream.ReadAsync(new byte[4096], token);
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray(), token);
    }

    private Task<ProxyUnderTest> StartAsync(Action<TorBalancerOptions>? configure = null) => ProxyUnderTest.StartAsync(
        [_worker.EndPoint], options =>
        {
            options.Listeners[0].ProxyProtocol = Loopback;
            configure?.Invoke(options);
        });
}
