using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Targets that answer before they have read the request, and clients that send on (RFC 9112, section 9.6).</summary>
[TestFixture(EngineKind.Linux)]
[TestFixture(EngineKind.Sockets)]
public partial class EarlyAnswerTests(EngineKind engine)
{
    private const string Body = "too large\n";
    private const string Answer = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 10\r\n\r\n" + Body;
    private const int Large = 64_000_000, Rounds = 10;

    /// <summary>How a target, or the worker in front of it, ends behind its answer.</summary>
    public enum Ending
    {
        /// <summary>FIN; what still comes is read and dropped.</summary>
        Drains,

        /// <summary>FIN, then closed while the client sends: what comes next is answered with RST.</summary>
        FinishesAndCloses,

        /// <summary>Closed with unread input, as tor closes a stream that its target has finished: RST and no FIN.</summary>
        ClosesUnread,
    }

    /// <summary>The client's way to its target.</summary>
    public enum Way
    {
        Absolute,
        Connect,
        Socks5,
        Socks4a,
    }

    [TestCase(Ending.Drains)]
    [TestCase(Ending.FinishesAndCloses)]
    [TestCase(Ending.ClosesUnread)]
    [CancelAfter(60_000)]
    public async Task Curl_that_posts_8_MB_in_absolute_form_always_sees_the_early_answer(Ending ending, CancellationToken token)
    {
        await using var worker = Refusing(ending);
        await using var proxy = await StartAsync(worker);
        Assert.That(await CurlAsync(proxy, 100, ["--proxy", $"http://{proxy.Address}"], token), Is.EqualTo(100));
    }

    [TestCase("--proxytunnel --proxy http://", Ending.Drains)]
    [TestCase("--proxytunnel --proxy http://", Ending.FinishesAndCloses)]
    [TestCase("--proxy socks5h://", Ending.Drains)]
    [TestCase("--proxy socks5h://", Ending.FinishesAndCloses)]
    [TestCase("--proxytunnel --proxy http://", Ending.ClosesUnread)]
    [TestCase("--proxy socks5h://", Ending.ClosesUnread)]
    [CancelAfter(60_000)]
    public async Task Curl_that_posts_8_MB_through_a_tunnel_always_sees_the_early_answer(string way, Ending ending, CancellationToken token)
    {
        await using var worker = Refusing(ending);
        await using var proxy = await StartAsync(worker);
        Assert.That(await CurlAsync(proxy, 30, (way + proxy.Address).Split(' '), token), Is.EqualTo(30));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Client_that_writes_64_MB_and_only_then_reads_gets_the_early_answer(
        [Values] Way way, [Values] Ending ending, CancellationToken token)
    {
        await using var worker = Refusing(ending);
        await using var proxy = await StartAsync(worker);
        for (int round = 0; round < (ending == Ending.Drains ? Rounds : 3); round++)
        {
            await using var client = await proxy.ConnectAsync();
            if (way != Way.Absolute)
                await OpenAsync(client, way, token);
            await client.WriteAsync(
                Encoding.ASCII.GetBytes(
                    $"POST {(way == Way.Absolute ? "http://a.example" : "")}/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: "
                        + $"{Large}\r\n\r\n"),
                token);
            await WriteLargeAsync(client, token);
            Assert.That(await ReadAnswerAsync(client, token), Does.StartWith("HTTP/1.1 413 ").And.EndsWith(Body), $"round {round}");
        }
    }

    [TestCase(Way.Connect)]
    [TestCase(Way.Socks5)]
    [CancelAfter(60_000)]
    public async Task Client_that_reads_to_the_end_sees_it_when_the_worker_had_finished(Way way, CancellationToken token)
    {
        // Several: the worker's reset can come at any moment of what its FIN leads to.
        for (int round = 0; round < Rounds; round++)
        {
            await using var worker = Refusing(Ending.FinishesAndCloses);
            await using var proxy = await StartAsync(worker);
            await using var client = await proxy.ConnectAsync();
            await OpenAsync(client, way, token);
            await client.WriteAsync("POST / HTTP/1.1\r\n\r\n"u8.ToArray(), token);
            await WriteLargeAsync(client, token);
            string all = Encoding.ASCII.GetString(await SocksClient.ReadToEndAsync(client, token));
            Assert.That(all, Is.EqualTo(Answer), $"a FIN, no RST, round {round}");
            client.Socket.Shutdown(SocketShutdown.Send);
            Assert.That((await proxy.Log.WaitForAsync("access", 1, token)).Single().Message, Does.Contain("end=upstream_closed"));
        }
    }

    [TestCase(Way.Connect)]
    [TestCase(Way.Socks5)]
    [CancelAfter(60_000)]
    public async Task Stream_that_was_cut_does_not_look_finished_to_a_client_that_sends(Way way, CancellationToken token)
    {
        await using var worker = Refusing(Ending.ClosesUnread);
        await using var proxy = await StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await OpenAsync(client, way, token);
        await client.WriteAsync("POST / HTTP/1.1\r\n\r\n"u8.ToArray(), token);
        await WriteLargeAsync(client, token);
        Assert.That(await ReadAnswerAsync(client, token), Is.EqualTo(Answer));
        Assert.That(async () => await client.ReadAsync(new byte[1], token), Throws.InstanceOf<IOException>());
        Assert.That((await proxy.Log.WaitForAsync("access", 1, token)).Single().Message, Does.Contain("end=upstream_reset"));
    }

    /// <summary>The client reads nothing before it has sent everything, and more than its own buffer holds waits for it.</summary>
    [TestCase(Way.Connect)]
    [TestCase(Way.Socks5)]
    [TestCase(Way.Absolute)]
    [CancelAfter(60_000)]
    public async Task Long_answer_and_long_request_do_not_wait_for_each_other_when_the_worker_is_gone(Way way, CancellationToken token)
    {
        byte[] answer = LongAnswer();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                while (stream.Socket.Available == 0)
                    await Task.Delay(1, stop);
                await FillAndCloseUnreadAsync(stream, answer, stop);
            },
        };
        await using var proxy = await StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        if (way == Way.Absolute)
            await client.WriteAsync(
                Encoding.ASCII.GetBytes($"POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: {Large}\r\n\r\n"), token);
        else
            await OpenAsync(client, way, token);
        await WriteLargeAsync(client, token);
        await ReadLongAnswerAsync(client, answer, token);
    }

    [TestCase(
        "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 64000000\r\n\r\n", "HTTP/1.1 502 ",
        Description = "no connection")]
    [TestCase(
        "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", "HTTP/1.1 ",
        Description = "no body")]
    [TestCase("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", "HTTP/1.1 502 ", Description = "no connection")]
    [TestCase("POST nonsense HTTP/1.1\r\nHost: a.example\r\nContent-Length: 64000000\r\n\r\n", "HTTP/1.1 400 ", Description = "no target")]
    [CancelAfter(60_000)]
    public async Task Error_page_of_ours_reaches_a_client_that_writes_64_MB_first(string request, string answer, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = static _ => 5 };
        await using var proxy = await StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(Encoding.ASCII.GetBytes(request), token);
        await WriteLargeAsync(client, token);
        Assert.That(Encoding.ASCII.GetString(await SocksClient.ReadToEndAsync(client, token)), Does.StartWith(answer));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Page_that_asks_for_the_password_reaches_a_client_that_writes_64_MB_first(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Required;
            options.Listeners[0].Users.Add("anna", "right");
        });
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(
            Encoding.ASCII.GetBytes($"POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: {Large}\r\n\r\n"), token);
        await WriteLargeAsync(client, token);
        Assert.That(Encoding.ASCII.GetString(await SocksClient.ReadToEndAsync(client, token)), Does.StartWith("HTTP/1.1 407 "));
    }

    [TestCase((byte)1)]
    [TestCase((byte)0xF0)]
    [CancelAfter(60_000)]
    public async Task Socks_reply_reaches_a_client_that_writes_64_MB_first(byte command, CancellationToken token)
    {
        // CONNECT is refused, RESOLVE is answered: either is the last word.
        await using var worker = new FakeTorWorker { Reply = request => request.Command == 1 ? (byte)5 : (byte)0 };
        await using var proxy = await StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync((byte[])[5, 1, 0, .. SocksClient.Request("a.example", 80, command)], token);
        await WriteLargeAsync(client, token);
        byte[] all = await SocksClient.ReadToEndAsync(client, token);
        Assert.That((all.Length, all[..4]), Is.EqualTo((12, new byte[] { 5, 0, 5, (byte)(command == 1 ? 5 : 0) })));
    }

    /// <summary>Answers a request as soon as its head is there, without reading its body.</summary>
    private static FakeTorWorker Refusing(Ending ending, string answer = Answer) => new()
    {
        OnStream = async (stream, _, stop) =>
        {
            var peer = new EarlyReader(stream);
            await peer.ReadHeadAsync(stop);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), stop);
            if (ending == Ending.ClosesUnread)
            {
                // A client that happens to send nothing at this moment looks like one that has sent all it has: until no more finds room.
                for (int before = 0, still = 0; still < 5; before = stream.Socket.Available)
                {
                    await Task.Delay(10, stop);
                    still = before > 0 && stream.Socket.Available == before ? still + 1 : 0;
                }

                return;
            }

            stream.Socket.Shutdown(SocketShutdown.Send);
            if (ending == Ending.Drains)
                await peer.DrainAsync(stop);
        },
    };

    private Task<ProxyUnderTest> StartAsync(FakeTorWorker worker, Action<TorBalancerOptions>? configure = null) =>
        ProxyUnderTest.StartAsync([worker.EndPoint], options =>
        {
            options.Engine.Transport = engine;
            configure?.Invoke(options);
        });

    private static async Task OpenAsync(NetworkStream client, Way way, CancellationToken token)
    {
        if (way == Way.Socks5)
        {
            await SocksClient.RequestAsync(client, "a.example", 80, token);
            return;
        }

        byte[] request = way == Way.Socks4a
            ? [4, 1, 0, 80, 0, 0, 0, 1, 0, .. "a.example\0"u8]
            : "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"u8.ToArray();
        await client.WriteAsync(request, token);
        await SocksClient.ReadAsync(client, way == Way.Socks4a ? 8 : "HTTP/1.1 200 Connection established\r\n\r\n".Length, token);
    }

    private static async Task WriteLargeAsync(NetworkStream client, CancellationToken token)
    {
        var piece = new byte[256 * 1024];
        for (int left = Large; left > 0; left -= Math.Min(left, piece.Length))
            await client.WriteAsync(piece.AsMemory(0, Math.Min(left, piece.Length)), token);
    }

    private static async Task<string> ReadAnswerAsync(NetworkStream client, CancellationToken token)
    {
        var all = new StringBuilder();
        while (!all.ToString().EndsWith(Body, StringComparison.Ordinal))
            all.Append(Encoding.ASCII.GetString(await SocksClient.ReadAsync(client, 1, token)));
        return all.ToString();
    }

    /// <summary>How many of so many runs of curl saw the answer.</summary>
    private static async Task<int> CurlAsync(ProxyUnderTest proxy, int runs, string[] way, CancellationToken token)
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(file, new byte[8_000_000], token);
            int seen = 0;
            for (int run = 0; run < runs; run++)
            {
                // Without "Expect:" curl waits for 100 (Continue), and does not send the body of a request that is refused.
                var result = await ClientProcess.CurlAsync(
                    token,
                    [
                        .. way, "--header", "Expect:", "--data-binary", "@" + file, "--output", "-", "--write-out", "%{http_code}",
                        "http://a.example/",
                    ]);
                if (result.Output == Body + "413")
                    seen++;
                else
                    TestContext.Out.WriteLine($"run {run}: {result.ExitCode} {result.Output} {result.Error} {proxy.Log.Entries.Count}");
            }

            return seen;
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Reads a head byte by byte, so that nothing behind it leaves the socket.</summary>
    private sealed class EarlyReader(NetworkStream stream)
    {
        private readonly byte[] _buffer = new byte[64 * 1024];

        public async Task ReadHeadAsync(CancellationToken token)
        {
            int ends = 0;
            while (ends < 4)
            {
                await stream.ReadExactlyAsync(_buffer.AsMemory(0, 1), token);
                ends = _buffer[0] == "\r\n\r\n"[ends] ? ends + 1 : _buffer[0] == '\r' ? 1 : 0;
            }
        }

        public async Task DrainAsync(CancellationToken token)
        {
            while (await stream.ReadAsync(_buffer, token) > 0)
            {
            }
        }
    }
}
