using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>SOCKS clients end to end, with scripted workers in tor's place: every byte of every answer.</summary>
[CancelAfter(30_000)]
public partial class SocksConnectionTests
{
    private static readonly byte[] Success = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    [TestCase(null, null)]
    [TestCase("u", "p")]
    [TestCase("", "")]
    public async Task Connect_carries_bytes_both_ways(string? user, string? password, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        Assert.That(await SocksClient.RequestAsync(client, "example.com", 80, token, user, password), Is.EqualTo(Success));
        await client.WriteAsync("hello"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(client, 5, token), Is.EqualTo("hello"u8.ToArray()));
        Assert.That(worker.Requests.Single().Host, Is.EqualTo("example.com"));
    }

    [Test]
    public async Task Everything_in_one_segment_is_served_and_the_payload_behind_it_is_not_lost(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        byte[] payload = [.. Enumerable.Range(0, 3000).Select(static i => (byte)i)];
        await client.WriteAsync(
            (byte[])[5, 1, 2, .. SocksClient.Auth("u", "p"), .. SocksClient.Request("example.com", 80), .. payload], token);
        Assert.That(await SocksClient.ReadAsync(client, 4, token), Is.EqualTo(new byte[] { 5, 2, 1, 0 }));
        Assert.That(await SocksClient.ReadReplyAsync(client, token), Is.EqualTo(Success));
        Assert.That(await SocksClient.ReadAsync(client, payload.Length, token), Is.EqualTo(payload));
    }

    [Test]
    public async Task One_byte_at_a_time_is_served(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Dribble = true };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        foreach (byte b in (byte[])[5, 2, 0, 2, .. SocksClient.Auth("u", "p"), .. SocksClient.Request("example.com", 80), .. "x"u8])
        {
            await client.WriteAsync(new[] { b }, token);
            await Task.Yield();
        }

        await SocksClient.ReadAsync(client, 4, token);
        Assert.That(await SocksClient.ReadReplyAsync(client, token), Is.EqualTo(Success));
        Assert.That(await SocksClient.ReadAsync(client, 1, token), Is.EqualTo("x"u8.ToArray()));
    }

    [Test]
    public async Task A_banner_that_comes_with_the_workers_reply_reaches_the_client_behind_ours(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Banner = [.. "SSH-2.0-x\r\n"u8] };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        Assert.That(await SocksClient.RequestAsync(client, "example.com", 22, token), Is.EqualTo(Success));
        Assert.That(await SocksClient.ReadAsync(client, 11, token), Is.EqualTo("SSH-2.0-x\r\n"u8.ToArray()));
    }

    [Test]
    public async Task A_client_that_shuts_down_its_sending_side_still_receives(CancellationToken token)
    {
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                var all = await SocksClient.ReadToEndAsync(stream, stop);
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"got {all.Length}"), stop);
            },
        };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(client, "example.com", 80, token);
        await client.WriteAsync(new byte[100_000], token);
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.That(Encoding.ASCII.GetString(await SocksClient.ReadToEndAsync(client, token)), Is.EqualTo("got 100000"));
        var access = (await proxy.Log.WaitForAsync("access", 1, token)).Single().Message;
        Assert.That(access, Does.Contain("sent=100000").And.Contain("received=10").And.Contain("cause=ok").And.Contain("end=finished"));
    }

    [Test]
    public async Task A_target_that_finishes_first_still_receives(CancellationToken token)
    {
        var received = new TaskCompletionSource<int>();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                await stream.WriteAsync("bye"u8.ToArray(), stop);
                stream.Socket.Shutdown(SocketShutdown.Send);
                received.SetResult((await SocksClient.ReadToEndAsync(stream, stop)).Length);
            },
        };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(client, "example.com", 80, token);
        Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.EqualTo("bye"u8.ToArray()));
        await client.WriteAsync(new byte[5000], token);
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.That(await received.Task.WaitAsync(token), Is.EqualTo(5000));
    }

    [Test]
    public async Task A_reset_by_the_worker_is_a_reset_to_the_client(CancellationToken token)
    {
        await using var worker = new FakeTorWorker
        {
            // Not before the proxy has read the reply, which a reset would take away.
            OnStream = static async (stream, _, token) =>
            {
                await stream.ReadExactlyAsync(new byte[1], token);
                stream.Socket.LingerState = new LingerOption(true, 0);
                stream.Socket.Close();
            },
        };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(client, "example.com", 80, token);
        await client.WriteAsync(new byte[1], token);
        Assert.That(
            async () => await SocksClient.ReadToEndAsync(client, token), Throws.InstanceOf<IOException>(),
            "a truncated stream must not look finished");
        Assert.That((await proxy.Log.WaitForAsync("access", 1, token)).Single().Message, Does.Contain("end=upstream_reset"));
    }

    [Test]
    public async Task A_reset_by_the_client_reaches_the_worker_and_gives_the_lease_back(CancellationToken token)
    {
        var broken = new TaskCompletionSource();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                try
                {
                    await SocksClient.ReadToEndAsync(stream, stop);
                }
                catch (IOException)
                {
                    broken.SetResult();
                }
            },
        };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        var client = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(client, "example.com", 80, token);
        client.Socket.LingerState = new LingerOption(true, 0);
        client.Socket.Close();
        await broken.Task.WaitAsync(token);
        await proxy.Log.WaitForAsync("access", 1, token);
        Assert.That(proxy.Pool.Snapshot.All[0].Active, Is.Zero);
    }

    [Test]
    public async Task A_client_that_never_reads_is_waited_for_and_loses_nothing(CancellationToken token)
    {
        // Far more than the kernel's buffers of two connections together: 4 MiB to send and 6 MiB to receive on each side.
        const int size = 64_000_000;
        var sent = new TaskCompletionSource();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                await stream.WriteAsync(new byte[size], stop);
                stream.Socket.Shutdown(SocketShutdown.Send);
                sent.SetResult();
            },
        };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(client, "example.com", 80, token);

        // Back-pressure: the sender cannot be done while nobody reads, because nobody buffers that much.
        Assert.That(await Task.WhenAny(sent.Task, Task.Delay(300, token)), Is.Not.SameAs(sent.Task));
        Assert.That((await SocksClient.ReadToEndAsync(client, token)).Length, Is.EqualTo(size));
    }

    [TestCase(2, 0x07)]
    [TestCase(3, 0x07)]
    [TestCase(9, 0x07)]
    public async Task Commands_other_than_connect_and_resolve_get_07(int command, int reply, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await AssertErrorAsync(
            client, await SocksClient.RequestAsync(client, "example.com", 80, token, command: (byte)command), (byte)reply, token);
        Assert.That(worker.Accepted, Is.Zero);
    }

    [TestCase(0x01, 0x01, 0x01)]
    [TestCase(0x02, 0x02, 0x02)]
    [TestCase(0x05, 0x05, 0x05)]
    [TestCase(0xF0, 0x04, 0xF0)]
    [TestCase(0xF4, 0x04, 0xF4)]
    [TestCase(0xF7, 0x06, 0xF7)]
    public async Task Errors_arrive_as_ten_octets_and_extended_codes_only_where_allowed(
        int fromTor, int plain, int extended, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = _ => (byte)fromTor };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
            options.Listeners.Add(
                new ListenerOptions { Name = "ext", Address = new IPEndPoint(IPAddress.Loopback, 0), ExtendedErrors = true }));
        foreach (var (index, expected) in new[] { (0, plain), (1, extended) })
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync((IPEndPoint)proxy.Server.Addresses[index].Address, token);
            await using var client = new NetworkStream(socket);
            await AssertErrorAsync(client, await SocksClient.RequestAsync(client, "example.com", 80, token), (byte)expected, token);
        }
    }

    [Test]
    public async Task An_error_is_read_whole_even_when_the_client_has_sent_more(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = static _ => 5 };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        for (int i = 0; i < 20; i++)
        {
            await using var client = await proxy.ConnectAsync();
            await client.WriteAsync((byte[])[5, 1, 0, .. SocksClient.Request("example.com", 80), .. new byte[20_000]], token);
            await SocksClient.ReadAsync(client, 2, token);
            await AssertErrorAsync(client, await SocksClient.ReadReplyAsync(client, token), 5, token);
        }
    }

    [Test]
    public async Task A_malformed_onion_address_fails_at_once_without_a_worker(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await AssertErrorAsync(client, await SocksClient.RequestAsync(client, "aaaa.onion", 80, token), 1, token);
        Assert.That(worker.Accepted, Is.Zero);
    }

    [Test]
    public async Task Resolve_ignores_the_port_answers_and_closes(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyAddress = static _ => IPAddress.Parse("93.184.216.34") };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        byte[] reply = await SocksClient.RequestAsync(client, "example.com", 42, token, command: 0xF0);
        Assert.That(reply, Is.EqualTo(new byte[] { 5, 0, 0, 1, 93, 184, 216, 34, 0, 0 }));
        Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.Empty);
        Assert.That(worker.Requests.Single().Command, Is.EqualTo(0xF0));
    }

    [Test]
    public async Task Clients_that_offer_nothing_usable_get_FF(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        foreach (byte[] greeting in new byte[][] { [5, 1, 1], [5, 0] })
        {
            await using var client = await proxy.ConnectAsync();
            await client.WriteAsync(greeting, token);
            Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.EqualTo(new byte[] { 5, 0xFF }));
        }
    }

    [TestCase("alice", "secret", true)]
    [TestCase("alice-session-abc", "secret", true)]
    [TestCase("alice", "secret_session-abc", true)]
    [TestCase("alice", "wrong", false)]
    [TestCase("mallory", "secret", false)]
    [TestCase("alice-colour-red", "secret", false)]
    public async Task Required_authentication_lets_in_who_is_known(string user, string password, bool allowed, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], RequireAlice);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync((byte[])[5, 2, 0, 2], token);
        Assert.That(await SocksClient.ReadAsync(client, 2, token), Is.EqualTo(new byte[] { 5, 2 }));
        await client.WriteAsync(SocksClient.Auth(user, password), token);
        Assert.That(await SocksClient.ReadAsync(client, 2, token), Is.EqualTo(new byte[] { 1, (byte)(allowed ? 0 : 1) }));
        if (!allowed)
            Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.Empty);
    }

    [Test]
    public async Task Required_authentication_refuses_a_client_without_credentials(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], RequireAlice);
        await using var socks5 = await proxy.ConnectAsync();
        await socks5.WriteAsync((byte[])[5, 1, 0], token);
        Assert.That(await SocksClient.ReadToEndAsync(socks5, token), Is.EqualTo(new byte[] { 5, 0xFF }));
        await using var socks4 = await proxy.ConnectAsync();
        await socks4.WriteAsync((byte[])[4, 1, 0, 80, 0, 0, 0, 1, .. "alice\0example.com\0"u8], token);
        Assert.That(await SocksClient.ReadToEndAsync(socks4, token), Is.EqualTo(new byte[] { 0, 0x5D, 0, 0, 0, 0, 0, 0 }));
        Assert.That(worker.Accepted, Is.Zero);
    }

    [Test]
    public async Task Socks4_and_4a_are_served_and_refused_in_their_own_words(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = static request => (byte)(request.Host == "closed.example" ? 5 : 0) };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        foreach (var (request, host) in new (byte[], string)[]
        {
            ([4, 1, 0, 80, 93, 184, 216, 34, .. "me\0"u8], "93.184.216.34"),
            ([4, 1, 0, 80, 0, 0, 0, 1, .. "\0example.com\0"u8], "example.com"),
        })
        {
            await using var client = await proxy.ConnectAsync();
            await client.WriteAsync((byte[])[.. request, .. "early"u8], token);
            Assert.That(await SocksClient.ReadAsync(client, 8 + 5, token), Is.EqualTo((byte[])[0, 0x5A, 0, 0, 0, 0, 0, 0, .. "early"u8]));
            Assert.That(worker.Requests.Last().Host, Is.EqualTo(host));
        }

        await using var refused = await proxy.ConnectAsync();
        await refused.WriteAsync((byte[])[4, 1, 0, 80, 0, 0, 0, 1, .. "\0closed.example\0"u8], token);
        Assert.That(await SocksClient.ReadToEndAsync(refused, token), Is.EqualTo(new byte[] { 0, 0x5B, 0, 0, 0, 0, 0, 0 }));
    }

    [Test]
    public async Task Modes_sessions_and_workers_of_the_user_name_are_followed(CancellationToken token)
    {
        await using var a = new FakeTorWorker();
        await using var b = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(a, b);
        for (int i = 0; i < 6; i++)
        {
            await using var failover = await proxy.ConnectAsync();
            await SocksClient.RequestAsync(failover, "example.com", 80, token, "mode-failover", "");
        }

        Assert.That((a.Requests.Count, b.Requests.Count), Is.EqualTo((6, 0)));
        await using var pinned = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(pinned, "example.com", 80, token, "worker-worker-02", "");
        Assert.That(b.Requests, Has.Count.EqualTo(1));
        for (int i = 0; i < 6; i++)
        {
            await using var session = await proxy.ConnectAsync();
            await SocksClient.RequestAsync(session, $"host-{i}.example", 80, token, "session-abc", "");
        }

        var sessions = a.Requests.Skip(6).Concat(b.Requests.Skip(1)).ToList();
        Assert.That(sessions.Select(static r => r.Password).Distinct().Count(), Is.EqualTo(1), "one token for the session");
        Assert.That(new[] { a.Requests.Count - 6, b.Requests.Count - 1 }, Is.EquivalentTo(new[] { 0, 6 }), "one worker for the session");
    }

    private static async Task<bool> CanConnectAsync(IPEndPoint address, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address, token);
            return true;
        }
        catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return false;
        }
    }

    private static void RequireAlice(TorBalancerOptions options)
    {
        options.Listeners[0].Auth = ListenerAuth.Required;
        options.Listeners[0].Users["alice"] = "secret";
    }

    private static async Task AssertErrorAsync(NetworkStream client, byte[] reply, byte code, CancellationToken token)
    {
        Assert.That(reply, Is.EqualTo(new byte[] { 5, code, 0, 1, 0, 0, 0, 0, 0, 0 }));
        Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.Empty, "FIN, not RST, behind the answer");
    }

    private static async Task<byte[]> ReadUntilClosedAsync(NetworkStream client, CancellationToken token)
    {
        try
        {
            return await SocksClient.ReadToEndAsync(client, token);
        }
        catch (IOException)
        {
            return [];
        }
    }
}
