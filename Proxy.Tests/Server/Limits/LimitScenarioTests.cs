using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Server;
using TorBalancer.Server.Limits;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Limits;

/// <summary>What a client sees that passes a limit, and what is counted of it.</summary>
[CancelAfter(30_000)]
public class LimitScenarioTests
{
    [Test]
    public async Task Over_a_limit_of_its_client_each_protocol_says_so_at_once(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine,
        [Values("SOCKS5", "SOCKS4", "CONNECT", "GET")] string protocol, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, options =>
        {
            options.Engine.Transport = engine;
            options.Listeners[0].ExtendedErrors = true;
            options.Listeners[0].Limits.MaxConnectionsPerClient = 1;
        });
        await using (var first = await proxy.ConnectAsync())
        {
            Assert.That((await SocksClient.RequestAsync(first, "a.example", 80, token))[1], Is.Zero);
            await using (var second = await proxy.ConnectAsync())
                await AssertRefusedAsync(second, protocol, "too_many_connections", "5", token);
            await using var elsewhere = await ConnectFromAsync(proxy, "127.0.0.9", token);
            Assert.That((await SocksClient.RequestAsync(elsewhere, "a.example", 80, token))[1], Is.Zero, "another client's are its own");
        }

        await proxy.Log.WaitForAsync("access", protocol == "GET" ? 2 : 3, token);
        while (proxy.Server.Connections.Count > 0)
            await Task.Delay(5, token);
        await using var next = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(next, "a.example", 80, token))[1], Is.Zero);
        Assert.That(RefusedBy(proxy, LimitKind.MaxConnectionsPerClient), Is.EqualTo(1));
        Assert.That(worker.Requests, Has.Count.EqualTo(3), "no worker is asked for who is refused");
    }

    [Test]
    public async Task Over_a_rate_HTTP_says_when_to_come_again([Values] bool perClient, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, options =>
        {
            var rate = new ConnectionRate(2, TimeSpan.FromMinutes(1), 1);
            if (perClient)
                options.Listeners[0].Limits.ConnectionRatePerClient = rate;
            else
                options.Listeners[0].Limits.ConnectionRate = rate;
        });
        await using var first = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(first, "a.example", 80, token))[1], Is.Zero);
        await using var second = await proxy.ConnectAsync();
        await AssertRefusedAsync(second, "CONNECT", "connection_rate_exceeded", "30", token);
        Assert.That(
            RefusedBy(proxy, perClient ? LimitKind.ConnectionRatePerClient : LimitKind.ConnectionRate), Is.EqualTo(1));
    }

    /// <summary>Who sends nothing is not waited for by many: a crowd that is refused holds few connections.</summary>
    [Test]
    public async Task A_crowd_of_silent_clients_that_are_refused_is_cut(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, static options => options.Listeners[0].Limits.MaxConnectionsPerClient = 2);
        var crowd = new List<NetworkStream>();
        for (int i = 0; i < 50; i++)
        {
            try
            {
                crowd.Add(await proxy.ConnectAsync());
            }
            catch (SocketException)
            {
                // It was cut before its connect has returned.
            }
        }

        while (RefusedBy(proxy, LimitKind.MaxConnectionsPerClient) < 48)
            await Task.Delay(5, token);
        Assert.That(proxy.Server.Connections.Count, Is.EqualTo(2 + ClientTable.MostRefused));
        foreach (var client in crowd)
            await client.DisposeAsync();
    }

    [Test]
    public async Task A_users_own_section_goes_before_its_listener_and_its_figures_are_exact(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Optional;
            options.Listeners[0].Users.Add("ann", "secret");
            options.Listeners[0].Users.Add("bob", "secret");
            options.Listeners[0].Limits.MaxConnectionsPerUser = 1;
            options.Users.Add(new UserOptions { Name = "bob", MaxConnections = 2 });
        });
        var users = proxy.Get<UserTable>();
        await using var first = await OpenAsync(proxy, "ann", 0, token);
        await using var refused = await OpenAsync(proxy, "ann-session-x", 2, token);
        await using var bobs = await OpenAsync(proxy, "bob", 0, token);
        await using var more = await OpenAsync(proxy, "user-bob-session-x", 0, token);
        await using var tooMany = await OpenAsync(proxy, "bob", 2, token);
        await using var stranger = await OpenAsync(proxy, "eve", 0, token, "anything");
        await using var another = await OpenAsync(proxy, "eve", 0, token, "anything");
        await bobs.WriteAsync(new byte[1000], token);
        await bobs.ReadExactlyAsync(new byte[1000], token);
        bobs.Socket.Shutdown(SocketShutdown.Send);
        await SocksClient.ReadToEndAsync(bobs, token);
        await proxy.Log.WaitForAsync("access", 3, token);
        var bob = users.Of("bob");
        while (bob.Active == 2)
            await Task.Delay(5, token);
        Assert.Multiple(() =>
        {
            Assert.That((bob.Accepted, bob.Active, bob.FromClient, bob.FromUpstream), Is.EqualTo((2, 1, 1000, 1000)));
            Assert.That(bob.Refused[LimitKind.MaxConnectionsPerUser], Is.EqualTo(1));
            Assert.That(users.All.Select(static user => user.Name), Is.EqualTo((string[])["ann", "bob"]), "strangers have no account");
        });
    }

    /// <summary>Requests of two users on one connection: it is the one's, then the other's.</summary>
    [Test]
    public async Task An_HTTP_connection_is_the_user_of_its_latest_request(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { OnStream = AnswerAsync };
        await using var proxy = await StartAsync(worker, static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Required;
            options.Listeners[0].Users.Add("ann", "secret");
            options.Listeners[0].Users.Add("bob", "secret");
            options.Listeners[0].Limits.MaxConnectionsPerUser = 1;
        });
        var users = proxy.Get<UserTable>();
        await using var client = await proxy.ConnectAsync();
        await AskAsync(client, "ann", "200", token);
        Assert.That((users.Of("ann").Active, users.Of("bob").Active), Is.EqualTo((1, 0)));
        await AskAsync(client, "bob", "200", token);
        Assert.That((users.Of("ann").Active, users.Of("bob").Active), Is.EqualTo((0, 1)));
        await using var other = await proxy.ConnectAsync();
        await AskAsync(other, "bob", "429", token);
        await AskAsync(other, "ann", "200", token);
        await client.DisposeAsync();
        await other.DisposeAsync();
        while (proxy.Server.Connections.Count > 0)
            await Task.Delay(5, token);
        Assert.That((users.Of("ann").Active, users.Of("bob").Active), Is.EqualTo((0, 0)));
        Assert.That(users.Of("ann").FromUpstream, Is.EqualTo(2 * users.Of("bob").FromUpstream), "each has its own bytes");
    }

    private static async Task AnswerAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        var buffer = new byte[4096];
        while (await stream.ReadAsync(buffer, token) > 0)
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"u8.ToArray(), token);
    }

    private static async Task AskAsync(NetworkStream client, string user, string status, CancellationToken token)
    {
        string credentials = Convert.ToBase64String(Encoding.Latin1.GetBytes($"{user}:secret"));
        await client.WriteAsync(
            Encoding.Latin1.GetBytes(
                $"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"), token);
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (!text.ToString().Contains("\r\n\r\n", StringComparison.Ordinal))
            text.Append(Encoding.Latin1.GetString(buffer, 0, await client.ReadAsync(buffer, token)));
        string head = text.ToString();
        Assert.That(head, Does.StartWith($"HTTP/1.1 {status}"));
        int length = int.Parse(
            head.Split("Content-Length: ")[1].Split("\r\n")[0], System.Globalization.CultureInfo.InvariantCulture);
        int rest = length - (head.Length - head.IndexOf("\r\n\r\n", StringComparison.Ordinal) - 4);
        await client.ReadExactlyAsync(new byte[rest], token);
    }

    private static async Task<NetworkStream> OpenAsync(
        ProxyUnderTest proxy, string user, byte code, CancellationToken token, string password = "secret")
    {
        var stream = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token, user, password))[1], Is.EqualTo(code), user);
        return stream;
    }

    private static async Task AssertRefusedAsync(NetworkStream client, string protocol, string cause, string retry, CancellationToken token)
    {
        switch (protocol)
        {
            case "SOCKS5":
                Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.EqualTo(2));
                break;
            case "SOCKS4":
                await client.WriteAsync(new byte[] { 4, 1, 0, 80, 192, 0, 2, 1, 0 }, token);
                Assert.That((await SocksClient.ReadAsync(client, 8, token))[1], Is.EqualTo(91));
                break;
            default:
                string target = protocol == "GET" ? "http://a.example/" : "a.example:80";
                await client.WriteAsync(Encoding.Latin1.GetBytes($"{protocol} {target} HTTP/1.1\r\nHost: a.example\r\n\r\n"), token);
                string answer = Encoding.Latin1.GetString(await SocksClient.ReadToEndAsync(client, token));
                Assert.That(answer, Does.StartWith("HTTP/1.1 429 Too Many Requests\r\n"));
                Assert.That(answer, Does.Contain($"\r\nRetry-After: {retry}\r\n").And.Contain($"cause={cause}\""));
                Assert.That(answer.Contains("\r\nConnection: close\r\n", StringComparison.Ordinal), Is.True);
                return;
        }

        Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.Empty);
    }

    private static async Task<NetworkStream> ConnectFromAsync(ProxyUnderTest proxy, string address, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        await socket.ConnectAsync(proxy.Address, token);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static long RefusedBy(ProxyUnderTest proxy, LimitKind kind) =>
        proxy.Get<ConnectionLimiter>().Of(proxy.Server.Listeners[0]).Refused[kind];

    private static Task<ProxyUnderTest> StartAsync(FakeTorWorker worker, Action<TorBalancerOptions> configure) =>
        ProxyUnderTest.StartAsync([worker.EndPoint], configure);
}
