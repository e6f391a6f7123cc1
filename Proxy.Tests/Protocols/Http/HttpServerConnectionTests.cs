using System.Buffers;
using System.Text;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.Http;

public sealed class HttpServerConnectionTests
{
    private const int Limit = 20_000;
    private const string Good = "Proxy-Authorization: Basic dTpw\r\n";

    [Test]
    [CancelAfter(Limit)]
    public async Task ReadRequestAsync_CONNECT_leaves_the_bytes_behind_in_the_input(CancellationToken token)
    {
        var (client, server, connection) = await StartAsync();
        using (client)
        await using (server)
        using (connection)
        {
            await client.SendAsync("CONNECT example.onion:443 HTTP/1.1\r\nHost: example.onion:443\r\n" + Good + "\r\n\u0016TLS");
            var request = await connection.ReadRequestAsync(token);
            Assert.That(request.Kind, Is.EqualTo(HttpServerRequestKind.Connect));
            Assert.That(request.Request, Is.EqualTo(new ProxyRequest(
                ClientProtocol.HttpConnect, ProxyCommand.Connect, request.Request!.Target, new ClientCredentials("u", "p"))));
            Assert.That(request.Request.Target.ToString(), Is.EqualTo("example.onion:443"));
            Assert.That(await connection.ReplyConnectedAsync(null, token), Is.True);
            Assert.That(await client.ReadHeadAsync(), Is.EqualTo("HTTP/1.1 200 Connection established\r\n\r\n"));
            var read = await server.Input.ReadAsync(token);
            Assert.That(Encoding.Latin1.GetString(read.Buffer.ToArray()), Is.EqualTo("\u0016TLS"));
        }
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ReplyErrorAsync_failed_CONNECT_is_answered_and_ended_without_reset(CancellationToken token)
    {
        var (client, server, connection) = await StartAsync();
        using (client)
        await using (server)
        using (connection)
        {
            await client.SendAsync("CONNECT h:443 HTTP/1.1\r\n\r\noptimistic");
            await connection.ReadRequestAsync(token);
            var replying = connection.ReplyErrorAsync(new ProxyError(FailureCause.WorkerTimeout), new ReplyInfo("w1", 3), token).AsTask();
            string text = await client.ReadToEndAsync();
            client.ShutdownSend();
            await replying;
            Assert.That(
                text,
                Does.StartWith("HTTP/1.1 504 Gateway Timeout\r\n").And.Contain("Connection: close").And.Contain("worker=w1 attempts=3"));
            Assert.That(client.WasReset, Is.False);
        }
    }

    [TestCase("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n", "")]
    [TestCase("GET http://h/ HTTP/1.1\r\nHost: h\r\n", "")]
    [TestCase("POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n", "body")]
    [TestCase("POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n", "4\r\nbody\r\n0\r\nX: y\r\n\r\n")]
    [CancelAfter(Limit)]
    public async Task ReadRequestAsync_407_keeps_the_connection_for_another_try(string head, string body, CancellationToken token)
    {
        var (client, server, connection) = await StartAsync(Only("u", "p"));
        using (client)
        await using (server)
        using (connection)
        {
            var reading = ReadServedAsync(connection, token);
            await client.SendAsync(head + "\r\n" + body);
            string challenge = await client.ReadHeadAsync();
            Assert.That(
                challenge,
                Does.StartWith("HTTP/1.1 407 ").And.Contain(
                    "Proxy-Authenticate: Basic realm=\"torbalancer\"").And.Not.Contain("Connection:"));
            Assert.That(challenge, Does.Contain("cause=auth_required"));
            await client.ReadThroughAsync("connection: c-9\n");
            await client.SendAsync(head + "Proxy-Authorization: Basic dTp4\r\n\r\n" + body);
            Assert.That(await client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 407 ").And.Contain("cause=auth_failed"));
            await client.ReadThroughAsync("connection: c-9\n");
            await client.SendAsync(head + Good + "\r\n" + body);
            var request = await reading;
            Assert.That(request.Request?.Credentials, Is.EqualTo(new ClientCredentials("u", "p")));
        }
    }

    [TestCase("POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n")]
    [TestCase("POST http://h/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")]
    [TestCase("GET http://h/ HTTP/1.0\r\n\r\n")]
    [TestCase("GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")]
    [CancelAfter(Limit)]
    public async Task ReadRequestAsync_407_closes_where_the_next_request_cannot_be_found(string text, CancellationToken token)
    {
        var (client, server, connection) = await StartAsync(Only("u", "p"));
        using (client)
        await using (server)
        using (connection)
        {
            var reading = ReadServedAsync(connection, token);
            await client.SendAsync(text);
            Assert.That(await client.ReadToEndAsync(), Does.StartWith("HTTP/1.1 407 ").And.Contain("Connection: close"));
            client.ShutdownSend();
            var request = await reading;
            Assert.That(
                (request.Kind, request.Error.Cause, request.Status),
                Is.EqualTo((HttpServerRequestKind.Refused, FailureCause.AuthRequired, 407)));
        }
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ReadRequestAsync_guessing_passwords_ends_after_some(CancellationToken token)
    {
        var (client, server, connection) = await StartAsync(Only("u", "p"));
        using (client)
        await using (server)
        using (connection)
        {
            var reading = ReadServedAsync(connection, token);
            await client.SendAsync(string.Concat(Enumerable.Repeat("CONNECT h:1 HTTP/1.1\r\nProxy-Authorization: Basic YTpi\r\n\r\n", 20)));
            string all = await client.ReadToEndAsync();
            client.ShutdownSend();
            await reading;
            Assert.That(all.Split("HTTP/1.1 407").Length - 1, Is.EqualTo(HttpLimits.AuthenticationAttempts));
        }
    }

    [TestCase("Proxy-Authorization: Basic !!\r\n")]
    [TestCase("Proxy-Authorization: Basic dTpw\r\nProxy-Authorization: Basic dTpw\r\n")]
    [CancelAfter(Limit)]
    public async Task ReadRequestAsync_unreadable_credentials_are_refused_even_where_none_are_needed(string field, CancellationToken token)
    {
        var (client, server, connection) = await StartAsync();
        using (client)
        await using (server)
        using (connection)
        {
            var reading = ReadServedAsync(connection, token);
            await client.SendAsync($"CONNECT h:1 HTTP/1.1\r\n{field}\r\n");
            Assert.That(await client.ReadHeadAsync(), Does.StartWith("HTTP/1.1 407 "));
            client.ShutdownSend();
            Assert.That(await reading, Has.Property(nameof(HttpServerRequest.IsLast)).True);
        }
    }

    [TestCase("GET / HTTP/1.1\r\nHost: 127.0.0.1:1080\r\n\r\n", 400, "this is a proxy")]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "this is a proxy")]
    [TestCase("GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400, "CONNECT")]
    [TestCase("PRI * HTTP/2.0\r\n\r\n", 505, "HTTP/1.1")]
    [TestCase("CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", 400, "port")]
    [CancelAfter(Limit)]
    public async Task ReadRequestAsync_refused_request_gets_a_page_and_the_connection_ends(
        string text, int status, string says, CancellationToken token)
    {
        var (client, server, connection) = await StartAsync();
        using (client)
        await using (server)
        using (connection)
        {
            var reading = ReadServedAsync(connection, token);
            await client.SendAsync(text);
            string page = await client.ReadToEndAsync();
            client.ShutdownSend();
            Assert.That(page, Does.StartWith($"HTTP/1.1 {status} ").And.Contain("Connection: close\r\n").And.Contain(says));
            var request = await reading;
            Assert.That(
                (request.Kind, request.Status, request.Error.Cause),
                Is.EqualTo((HttpServerRequestKind.Refused, status, FailureCause.BadRequest)));
            Assert.That(client.WasReset, Is.False);
        }
    }

    [TestCase("", "")]
    [TestCase("GET http://h/ HT", "HTTP/1.1 408 Request Timeout\r\n")]
    [CancelAfter(Limit)]
    public async Task ReadRequestAsync_slow_head_is_ended_in_time(string part, string answer, CancellationToken token)
    {
        // Time is the system's: what is waited for is the answer, however long the limit of 200 ms takes on this machine.
        var (client, server, connection) = await StartAsync(timeout: TimeSpan.FromMilliseconds(200));
        using (client)
        await using (server)
        using (connection)
        {
            if (part.Length > 0)
                await client.SendAsync(part);
            var reading = ReadServedAsync(connection, token);
            if (answer.Length > 0)
                Assert.That(await client.ReadToEndAsync(), Does.StartWith(answer));
            client.ShutdownSend();
            Assert.That(await reading, Has.Property(nameof(HttpServerRequest.IsLast)).True);
        }
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task ReadRequestAsync_random_input_always_ends(CancellationToken token)
    {
        var random = new Random(99);
        string[] valid = ["CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"];
        for (int i = 0; i < 200; i++)
        {
            var (client, server, connection) = await StartAsync();
            using (client)
            await using (server)
            using (connection)
            {
                await client.SendAsync(HttpRequestParserTests.Mutate(random, HttpBytes.Of(valid[i % 2])));
                client.ShutdownSend();
                var request = await connection.ReadRequestAsync(token);
                Assert.That(
                    request.Kind is HttpServerRequestKind.Ended or HttpServerRequestKind.Refused, Is.EqualTo(request.Request is null));
            }
        }
    }

    private static Verdict Only(string user, string password) => new(credentials =>
        credentials is null ? new ProxyError(FailureCause.AuthRequired)
        : credentials == new ClientCredentials(user, password) ? ProxyError.None
        : new ProxyError(FailureCause.AuthFailed));

    /// <summary>The first request that is not refused, or the last one of the connection.</summary>
    private static async Task<HttpServerRequest> ReadServedAsync(HttpServerConnection connection, CancellationToken token)
    {
        HttpServerRequest request;
        do
            request = await connection.ReadRequestAsync(token);
        while (request is { Kind: HttpServerRequestKind.Refused, IsLast: false });
        return request;
    }

    private static async Task<(ScriptedPeer Client, TestSocketConnection Server, HttpServerConnection Connection)> StartAsync(
        Verdict? authenticator = null, TimeSpan? timeout = null)
    {
        var (near, far) = await TestSocketConnection.ConnectPairAsync();
        var server = new TestSocketConnection(far);
        var settings = new HttpServerSettings("c-9", timeout ?? TimeSpan.FromSeconds(30));
        return (
            new ScriptedPeer(near), server,
            new HttpServerConnection(server, settings, authenticator ?? new Verdict(_ => ProxyError.None), TimeProvider.System));
    }
}
