using System.Net;
using System.Net.Sockets;
using TorBalancer.Admin.Reload;
using TorBalancer.Daemon.Readiness;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Server;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Workers;
using static TorBalancer.Tests.Readiness.ReadinessUnderTest;

namespace TorBalancer.Tests.Readiness;

/// <summary>What /livez, /readyz and the agent-check say, over real sockets.</summary>
[CancelAfter(30_000)]
public sealed class ReadinessServerTests
{
    [Test]
    public async Task Answers_follow_workers_and_stages(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync([Model("a", 1), Model("b", 2), Model("c", 5)]);
        await using var server = Start(proxy);
        proxy.StartProber();
        var pool = proxy.Pool;

        await SaysAsync("200 OK", "ready: 3 of 3 workers may carry connections", "ready up 100%");
        pool.SetAdministrative(pool.Find("b")!, WorkerAdministrativeState.Draining);
        await SaysAsync("200 OK", "ready: 2 of 3 workers may carry connections", "ready up 75%");
        pool.SetOperational(pool.Find("c")!, WorkerOperationalState.Dead, "10.9.9.9 refused");
        await SaysAsync("200 OK", "ready: 1 of 3 workers may carry connections", "ready up 12%");
        pool.SetOperational(pool.Find("a")!, WorkerOperationalState.Recovery, "");
        await SaysAsync(
            "503 Service Unavailable", "not ready: 0 of 3 workers may carry connections",
            "ready down#0 of 3 workers may carry connections");

        // Whatever workers say: others are to get the clients.
        pool.SetOperational(pool.Find("a")!, WorkerOperationalState.Healthy, "");
        proxy.Server.Serving.MoveTo(ServingStage.LameDuck);
        await SaysAsync(
            "503 Service Unavailable", "not ready: the daemon is about to stop; it still takes connections, but others should get them",
            "drain");
        await proxy.Server.StopAsync(TimeSpan.Zero, token);
        await SaysAsync("503 Service Unavailable", "not ready: the daemon is stopping and takes no more connections", "drain");
        Assert.That(await GetAsync(server.Address!, "/livez", token), Does.StartWith("HTTP/1.1 200 OK\r\n").And.EndWith("\r\n\r\nalive\n"));

        async Task SaysAsync(string status, string text, string agent)
        {
            string answer = await GetAsync(server.Address!, "/readyz", token);
            Assert.That(answer, Does.StartWith($"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"));
            Assert.That(answer, Does.EndWith($"Connection: close\r\n\r\n{text}\n"));
            Assert.That(await AskAsync(server.Agent!, "", token), Is.EqualTo(agent + "\n"));
            Assert.That(await AskAsync(server.Agent!, "gateway-1\n", token), Is.EqualTo(agent + "\n"), "with agent-send");
        }
    }

    [Test]
    public async Task Daemon_that_has_not_opened_its_listeners_is_starting()
    {
        await using var proxy = await ProxyUnderTest.StartAsync([Model("a", 1)]);
        var starting = new TorBalancer.Admin.ReadinessReport(ServingStage.Starting, proxy.Pool.Snapshot);

        Assert.That((starting.IsReady, starting.Summary), Is.EqualTo((false, "not ready: the daemon is starting")));
        Assert.That(ReadinessAnswers.AgentLine(starting), Is.EqualTo("ready down#the daemon is starting"));
    }

    [Test]
    public async Task Other_requests_are_refused_in_words(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync([Model("a", 1)]);
        await using var server = Start(proxy);
        var address = server.Address!;

        Assert.That(await GetAsync(address, "/", token), Does.StartWith("HTTP/1.1 404 Not Found\r\n"));
        Assert.That(await GetAsync(address, "/readyz/", token), Does.StartWith("HTTP/1.1 404 Not Found\r\n"));
        Assert.That(
            await AskAsync(address, "POST /readyz HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", token),
            Does.StartWith("HTTP/1.1 405 Method Not Allowed\r\n").And.Contain("\r\nAllow: GET, HEAD\r\n"));
        Assert.That(
            await AskAsync(address, "HEAD /readyz HTTP/1.1\r\nHost: a\r\n\r\n", token),
            Does.StartWith("HTTP/1.1 200 OK\r\n").And.Contain("\r\nContent-Length: 44\r\n").And.EndWith("\r\n\r\n"));
        Assert.That(await AskAsync(address, "\u0005\u0001\0", token), Does.StartWith("HTTP/1.1 400 Bad Request\r\n"));
        Assert.That(
            await GetAsync(address, "/" + new string('a', 2 * ReadinessRequest.MaxLength), token),
            Does.StartWith("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    }

    /// <summary>Anybody may reach the port: who takes all places and says nothing keeps nobody out.</summary>
    [Test]
    public async Task Silent_connections_make_room_for_those_that_ask(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync([Model("a", 1)]);
        await using var server = Start(proxy);
        var silent = new List<Socket>();
        try
        {
            for (int i = 0; i < 4 * ReadinessListener.MaxConnections; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                silent.Add(socket);
                await socket.ConnectAsync(server.Address!, token);
            }

            Assert.That(await GetAsync(server.Address!, "/readyz", token), Does.StartWith("HTTP/1.1 200 OK\r\n"));
            Assert.That(silent[0].Poll(0, SelectMode.SelectRead), Is.True, "the oldest was ended");
        }
        finally
        {
            silent.ForEach(static socket => socket.Dispose());
        }
    }

    /// <summary>
    /// A takeover that fails before it has come to this part resumes it all the same. A second loop would go on when the first is paused,
    /// and take connections that are the other process's.
    /// </summary>
    [Test]
    public async Task Nobody_is_accepted_behind_a_pause_however_often_it_was_resumed_before(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync([Model("a", 1)]);
        await using var server = Start(proxy);
        server.Resume();
        server.Resume();
        Assert.That(await GetAsync(server.Address!, "/readyz", token), Does.StartWith("HTTP/1.1 200 OK\r\n"));
        await server.PauseAsync();

        // The process that takes over has the same socket, and is the only one that answers.
        var waiting = Enumerable.Range(0, 8).Select(_ => GetAsync(server.Address!, "/readyz", token)).ToList();
        await using (var other = new ReadinessListener(
            Handed(server.Descriptors.Single(static one => one.What.Name == "Address").Descriptor),
            static async (client, stop) =>
            {
                // A socket that is closed with something unread resets its connection.
                await client.ReceiveAsync(new byte[4096], stop);
                await client.SendAsync("the other process"u8.ToArray(), stop);
            },
            proxy.Get<DescriptorBudget>(), proxy.Get<TimeProvider>()))
        {
            other.Start();
            foreach (var answer in waiting)
                Assert.That(await answer, Is.EqualTo("the other process"));
        }

        server.Resume();
        Assert.That(await GetAsync(server.Address!, "/readyz", token), Does.StartWith("HTTP/1.1 200 OK\r\n"));
    }

    /// <summary>A balancer that hears "drain" sends nobody to the process that has taken over, until it asks again.</summary>
    [Test]
    public async Task Who_had_connected_before_a_takeover_hears_of_no_drain(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync([Model("a", 1)]);
        await using var server = Start(proxy);
        using var before = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await before.ConnectAsync(server.Address!, token);

        // Accepted in their order.
        Assert.That(await GetAsync(server.Address!, "/readyz", token), Does.StartWith("HTTP/1.1 200 OK\r\n"));
        await server.PauseAsync();
        proxy.Server.Serving.MoveTo(ServingStage.Draining);
        await server.LeaveAsync(new TakeoverReady([]), 1);

        await before.SendAsync("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), token);
        byte[] answer = new byte[15];
        await using var stream = new NetworkStream(before, ownsSocket: false);
        await stream.ReadExactlyAsync(answer, token);
        Assert.That(answer, Is.EqualTo("HTTP/1.1 200 OK"u8.ToArray()));
    }

    [Test]
    public async Task Address_moves_with_a_reload_and_is_back_when_the_reload_fails(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync([Model("a", 1)]);
        await using var server = Of(proxy);
        var first = Free();
        server.Start(Options(first));
        var agent = server.Agent!;

        // The same port on every address: the old one has to go first.
        var all = new IPEndPoint(IPAddress.Any, first.Port);
        server.Prepare(Options(all)).Undo();
        Assert.That(server.Address, Is.EqualTo(first));
        Assert.That(await GetAsync(first, "/readyz", token), Does.StartWith("HTTP/1.1 200 OK\r\n"));
        Assert.That(server.Agent, Is.EqualTo(agent));

        server.Prepare(Options(all)).Apply();
        Assert.That(server.Address, Is.EqualTo(all));
        Assert.That(await GetAsync(first, "/readyz", token), Does.StartWith("HTTP/1.1 200 OK\r\n"));
        Assert.That(await AskAsync(agent, "", token), Does.StartWith("ready up"));

        var taken = (IPEndPoint)proxy.Address;
        var failure = Assert.Throws<ReloadBindingException>(() => server.Prepare(Options(Free(), taken)))!;
        Assert.That((failure.Section, failure.Key), Is.EqualTo(("Readiness", "Agent")));
        Assert.That(failure.Message, Does.StartWith($"[Readiness] Agent cannot listen on {taken}: "));
        Assert.That(await GetAsync(first, "/readyz", token), Does.StartWith("HTTP/1.1 200 OK\r\n"));

        var none = Options();
        (none.Readiness.Address, none.Readiness.Agent) = (null, null);
        server.Prepare(none).Apply();
        Assert.That((server.Address, server.Agent), Is.EqualTo(((IPEndPoint?)null, (IPEndPoint?)null)));
        Assert.That(async () => await GetAsync(first, "/readyz", token), Throws.InstanceOf<SocketException>());
    }

    /// <summary>What another process gets: a descriptor of its own for the same socket.</summary>
    private static Socket Handed(int descriptor)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tbh{Guid.NewGuid():N}");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using var there = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        there.Connect(new UnixDomainSocketEndPoint(path));
        using var here = listener.Accept();
        TakeoverFrames.SendDescriptors((int)here.Handle, [descriptor]);
        return new Socket(
            new SafeSocketHandle(
                (nint)TakeoverFrames.ReceiveDescriptors((int)there.Handle, 1, TimeSpan.FromSeconds(10)).Single(), ownsHandle: true));
    }

    private static WorkerModel Model(string id, int weight) => new(id, new IPEndPoint(IPAddress.Loopback, 9), weight);

    private static IPEndPoint Free() => new(IPAddress.Loopback, FreePort.Find());
}
