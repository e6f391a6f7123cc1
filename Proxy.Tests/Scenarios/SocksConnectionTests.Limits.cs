using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

// Who is served and for how long: limits, stopping, the access log.
public partial class SocksConnectionTests
{
    [Test]
    public async Task Protocols_that_a_listener_does_not_speak_are_closed(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(
            [worker.EndPoint], static options => options.Listeners[0].Protocols = ListenerProtocols.Socks5);
        foreach (byte[] first in new byte[][] { [.. "GET http://example.com/ HTTP/1.1\r\n\r\n"u8], [4, 1], [0x16, 3, 1], [0] })
        {
            await using var client = await proxy.ConnectAsync();
            await client.WriteAsync(first, token);
            Assert.That(await ReadUntilClosedAsync(client, token), Is.Empty);
        }

        Assert.That(worker.Accepted, Is.Zero);
        var causes = (await proxy.Log.WaitForAsync("access", 4, token)).Select(static entry => entry.Message).ToList();
        Assert.That(causes.Count(static line => line.Contains("cause=protocol_disabled", StringComparison.Ordinal)), Is.EqualTo(2));
        Assert.That(causes.Count(static line => line.Contains("cause=bad_request", StringComparison.Ordinal)), Is.EqualTo(2));
    }

    [TestCase(new byte[0])]
    [TestCase(new byte[] { 5 })]
    [TestCase(new byte[] { 5, 1, 0, 5, 1, 0, 3, 11 })]
    [TestCase(new byte[] { 4, 1, 0 })]
    public async Task A_client_that_stays_silent_is_let_go_after_the_handshake_time(byte[] sent, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(
            [worker.EndPoint], static options => options.Listeners[0].HandshakeTimeout = TimeSpan.FromMilliseconds(200));
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(sent, token);
        await ReadUntilClosedAsync(client, token);
        Assert.That((await proxy.Log.WaitForAsync("access", 1, token)).Single().Message, Does.Contain("cause=handshake_timeout"));
    }

    [Test]
    public async Task Stop_closes_the_port_lets_tunnels_finish_and_then_cuts_them(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        var address = proxy.Address;
        await using var finishing = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(finishing, "example.com", 80, token);
        var stopping = proxy.Server.StopAsync(TimeSpan.FromSeconds(20), token);
        while (await CanConnectAsync(address, token))
            await Task.Delay(5, token);
        await finishing.WriteAsync("still"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(finishing, 5, token), Is.EqualTo("still"u8.ToArray()));
        Assert.That(stopping.IsCompleted, Is.False);
        finishing.Socket.Shutdown(SocketShutdown.Send);
        Assert.That(await SocksClient.ReadToEndAsync(finishing, token), Is.Empty);
        Assert.That(await stopping, Is.True);
    }

    [Test]
    public async Task Stop_cuts_what_is_left_after_the_drain_time(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var idle = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(idle, "example.com", 80, token);
        Assert.That(await proxy.Server.StopAsync(TimeSpan.FromMilliseconds(50), token), Is.False);
        Assert.That(async () => await SocksClient.ReadToEndAsync(idle, token), Throws.InstanceOf<IOException>());
        Assert.That(proxy.Log.OfEvent("access").Single().Message, Does.Contain("end=drained"));
    }

    [Test]
    public async Task An_idle_limit_ends_idle_tunnels_only(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(
            [worker.EndPoint], static options => options.Tunnel.IdleTimeout = TimeSpan.FromSeconds(1));
        await using var idle = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(idle, "example.com", 80, token);
        Assert.That(async () => await SocksClient.ReadToEndAsync(idle, token), Throws.InstanceOf<IOException>());
        Assert.That((await proxy.Log.WaitForAsync("access", 1, token)).Single().Message, Does.Contain("end=idle_timeout"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Tunnels_of_a_worker_that_is_gone_are_ended_if_so_configured_and_others_are_not(
        bool configured, CancellationToken token)
    {
        await using var gone = new FakeTorWorker();
        await using var alive = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(
            [gone.EndPoint, alive.EndPoint], options => options.Tunnel.EndWhenWorkerIsGone = configured);
        await using var first = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(first, "example.com", 80, token, "worker-worker-01", "");
        await using var second = await proxy.ConnectAsync();
        await SocksClient.RequestAsync(second, "example.com", 80, token, "worker-worker-02", "");

        // The reply comes a moment before the tunnel begins; an echo shows that it has.
        foreach (var client in new[] { first, second })
        {
            await client.WriteAsync("x"u8.ToArray(), token);
            await SocksClient.ReadAsync(client, 1, token);
        }

        Assert.That(proxy.Server.Connections.EndTunnels("worker-01"), Is.EqualTo(configured ? 1 : 0));
        if (configured)
        {
            Assert.That(async () => await SocksClient.ReadToEndAsync(first, token), Throws.InstanceOf<IOException>());
            Assert.That((await proxy.Log.WaitForAsync("access", 1, token)).Single().Message, Does.Contain("end=worker_gone"));
        }

        await second.WriteAsync("y"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(second, 1, token), Is.EqualTo("y"u8.ToArray()));
    }

    [Test]
    public async Task A_listener_on_a_unix_socket_serves(CancellationToken token)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tb-{Guid.NewGuid():N}.sock");
        await using var worker = new FakeTorWorker();
        await using (await ProxyUnderTest.StartAsync([worker.EndPoint], options =>
            options.Listeners.Add(new ListenerOptions { Name = "unix", Address = new UnixDomainSocketEndPoint(path) })))
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), token);
            await using var client = new NetworkStream(socket);
            Assert.That(await SocksClient.RequestAsync(client, "example.com", 80, token), Is.EqualTo(Success));
        }

        Assert.That(File.Exists(path), Is.False, "the socket's file goes with the listener");
    }

    [Test]
    public async Task AllowFrom_DenyFrom_and_MaxConnections_turn_clients_away(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
        {
            options.Listeners[0].AllowFrom.Add(IPNetwork.Parse("127.0.0.1/32"));
            options.Listeners[0].AllowFrom.Add(IPNetwork.Parse("127.0.0.3/32"));
            options.Listeners[0].DenyFrom.Add(IPNetwork.Parse("127.0.0.3/32"));
            options.Listeners[0].MaxConnections = 1;
        });
        Assert.That(await IsTurnedAwayAsync(IPAddress.Parse("127.0.0.2"), proxy.Address, token), Is.True);
        Assert.That(await IsTurnedAwayAsync(IPAddress.Parse("127.0.0.3"), proxy.Address, token), Is.True, "deny goes before allow");

        await using var first = await proxy.ConnectAsync();
        Assert.That(await SocksClient.RequestAsync(first, "example.com", 80, token), Is.EqualTo(Success));
        await using var second = await proxy.ConnectAsync();
        await AssertErrorAsync(second, await SocksClient.RequestAsync(second, "example.com", 80, token), 2, token);
    }

    [Test]
    public async Task The_log_has_one_line_for_each_connection_and_hides_hosts_unless_asked(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options => options.Log.Targets = false);
        await using (var client = await proxy.ConnectAsync())
            await SocksClient.RequestAsync(client, "secret.example", 8443, token, "who", "knows");
        var line = (await proxy.Log.WaitForAsync("access", 1, token)).Single();
        Assert.That(
            line.Message,
            Does.Contain("target=(name):8443").And.Contain("worker=worker-01").And.Contain("protocol=socks5").And.Contain("attempts=1"));
        Assert.That(
            proxy.Log.Entries.Select(static entry => entry.Message),
            Has.None.Contains("secret.example").And.None.Contains("who").And.None.Contains("127.0.0.1 "));
        Assert.That(
            proxy.Log.Entries.Count(
                static e => e.Level >= Microsoft.Extensions.Logging.LogLevel.Information && e.Event.Name != "Listening"),
            Is.EqualTo(1));
    }

    [Test]
    public async Task Without_a_worker_the_answer_comes_at_once(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync();
        await using var client = await proxy.ConnectAsync();
        await AssertErrorAsync(client, await SocksClient.RequestAsync(client, "example.com", 80, token), 3, token);
    }

    /// <summary>The reset may come while connect still runs, or at the first read.</summary>
    private static async Task<bool> IsTurnedAwayAsync(IPAddress from, IPEndPoint to, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(from, 0));
        try
        {
            await socket.ConnectAsync(to, token);
            return await socket.ReceiveAsync(new byte[1], SocketFlags.None, token) == 0;
        }
        catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionReset)
        {
            return true;
        }
    }
}
