using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Clients that send FIN behind their request and wait for the answer.</summary>
[TestFixture(EngineKind.Linux)]
[TestFixture(EngineKind.Sockets)]
[CancelAfter(30_000)]
public class FinishedClientTests(EngineKind engine)
{
    private static readonly TimeSpan NearlyAll = TimeSpan.FromSeconds(40);

    public static IEnumerable<TestCaseData> Requests =>
    [
        new TestCaseData((byte[])[5, 1, 0, .. SocksClient.Request("a.example", 80)], (byte[])[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .SetArgDisplayNames("SOCKS5"),
        new TestCaseData((byte[])[5, 1, 0, .. SocksClient.Request("a.example", 0, 0xF0)], (byte[])[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .SetArgDisplayNames("RESOLVE"),
        new TestCaseData((byte[])[4, 1, 0, 80, 0, 0, 0, 1, 0, .. "a.example\0"u8], (byte[])[0, 90, 0, 0, 0, 0, 0, 0])
            .SetArgDisplayNames("SOCKS4a"),
        new TestCaseData((byte[])[4, 1, 0, 80, 192, 0, 2, 1, 0], (byte[])[0, 90, 0, 0, 0, 0, 0, 0]).SetArgDisplayNames("SOCKS4"),
        new TestCaseData(
            "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"u8.ToArray(),
            "HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray())
            .SetArgDisplayNames("CONNECT"),
        new TestCaseData("GET http://a.example/ HTTP/1.0\r\nHost: a.example\r\n\r\n"u8.ToArray(), "HTTP/1.1 200 OK\r\n"u8.ToArray())
            .SetArgDisplayNames("absolute form"),
    ];

    [TestCaseSource(nameof(Requests))]
    public async Task Client_that_finished_is_answered_however_long_the_dial_takes_within_its_time(
        byte[] request, byte[] answer, CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        await using var worker = new FakeTorWorker { ReplyGate = gate.Task, OnStream = AnswerOkAsync };
        var clock = new ManualTimeProvider();
        await using var proxy = await StartAsync(worker, clock);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(request, token);
        client.Socket.Shutdown(SocketShutdown.Send);
        while (worker.Requests.IsEmpty)
            await Task.Delay(5, token);
        await PassAsync(clock, token);
        gate.SetResult();
        Assert.That(await SocksClient.ReadAsync(client, answer.Length, token), Is.EqualTo(answer));
    }

    [Test]
    public async Task Client_that_finished_hears_when_the_connect_deadline_is_over(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyGate = new TaskCompletionSource().Task };
        var clock = new ManualTimeProvider();
        await using var proxy = await StartAsync(worker, clock);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync("GET http://a.example/ HTTP/1.0\r\nHost: a.example\r\n\r\n"u8.ToArray(), token);
        client.Socket.Shutdown(SocketShutdown.Send);
        var answering = SocksClient.ReadToEndAsync(client, token);
        while (!answering.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(5, token);
        }

        Assert.That(Encoding.ASCII.GetString(await answering), Does.StartWith("HTTP/1.1 504 "));
    }

    [Test]
    public async Task Client_that_finished_is_answered_however_long_the_origin_thinks(CancellationToken token)
    {
        var (asked, gate, more) = (new TaskCompletionSource(), new TaskCompletionSource(), new TaskCompletionSource());
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                await SocksClient.ReadAsync(stream, 10, stop);
                asked.SetResult();
                await gate.Task.WaitAsync(stop);
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"u8.ToArray(), stop);
                await more.Task.WaitAsync(stop);
                await stream.WriteAsync("half"u8.ToArray(), stop);
            },
        };
        var clock = new ManualTimeProvider();
        await using var proxy = await StartAsync(worker, clock);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"u8.ToArray(), token);
        client.Socket.Shutdown(SocketShutdown.Send);
        await asked.Task.WaitAsync(token);
        await PassAsync(clock, token);
        gate.SetResult();
        using var peer = new ScriptedPeer(client.Socket);
        await peer.ReadThroughAsync("half");
        await PassAsync(clock, token);
        more.SetResult();
        Assert.That(await peer.ReadToEndAsync(), Is.EqualTo("half"));
        Assert.That(peer.WasReset, Is.False);
    }

    /// <summary>Behind a FIN nothing is read any more, so a reset is looked for.</summary>
    [TestCase("CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n", "access")]
    [TestCase("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "access_request")]
    public async Task Client_that_resets_behind_its_FIN_gives_the_worker_back(string request, string line, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyGate = new TaskCompletionSource().Task };
        await using var proxy = await StartAsync(worker);
        var client = await proxy.ConnectAsync();
        await client.WriteAsync(Encoding.Latin1.GetBytes(request), token);
        client.Socket.Shutdown(SocketShutdown.Send);
        while (worker.Requests.IsEmpty)
            await Task.Delay(5, token);
        client.Socket.LingerState = new LingerOption(true, 0);
        client.Socket.Close();
        Assert.That((await proxy.Log.WaitForAsync(line, 1, token)).Single().Message, Does.Contain("cause=client_closed")
            .And.Contain(" worker=worker-01 route=socks ").And.Contain(" attempts=1 "));
        Assert.That(proxy.Pool.Snapshot.All[0].Active, Is.Zero);
    }

    /// <summary>Its kernel forgets the connection a minute after the program has closed it; here the program asks for a second.</summary>
    [Test]
    public async Task Client_that_has_left_is_found_out_when_its_kernel_has_forgotten_it(CancellationToken token)
    {
        const int ipProtoTcp = 6, tcpLinger2 = 8;
        await using var worker = new FakeTorWorker { ReplyGate = new TaskCompletionSource().Task };
        await using var proxy = await StartAsync(worker);
        var client = await proxy.ConnectAsync();
        client.Socket.SetRawSocketOption(ipProtoTcp, tcpLinger2, BitConverter.GetBytes(1));
        await client.WriteAsync("CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"u8.ToArray(), token);
        while (worker.Requests.IsEmpty)
            await Task.Delay(5, token);
        client.Socket.Close();
        Assert.That((await proxy.Log.WaitForConnectionsAsync(1, token)).Single().Message, Does.Contain("cause=client_closed")
            .And.Contain(" worker=worker-01 route=socks ").And.Contain(" attempts=1 "));
        Assert.That(proxy.Pool.Snapshot.All[0].Active, Is.Zero);
    }

    [Test]
    public async Task Real_netcat_that_finishes_behind_its_request_prints_an_answer_that_takes_longer_than_five_seconds(
        CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        await using var worker = new FakeTorWorker { ReplyGate = gate.Task, OnStream = AnswerOkAsync };
        var clock = new ManualTimeProvider();
        await using var proxy = await StartAsync(worker, clock);
        var netcat = ClientProcess.RunAsync(
            "nc.openbsd", ["-N", "127.0.0.1", $"{proxy.Address.Port}"], token,
            input: "GET http://a.example/ HTTP/1.0\r\nHost: a.example\r\n\r\n"u8.ToArray());
        while (worker.Requests.IsEmpty)
            await Task.Delay(5, token);
        await PassAsync(clock, token);
        gate.SetResult();
        var result = await netcat;
        Assert.That(result.Output, Does.StartWith("HTTP/1.1 200 OK\r\n").And.EndsWith("\r\n\r\nok\n"), result.Error);
        Assert.That(result.ExitCode, Is.Zero);
    }

    /// <summary>Lets most of an attempt's time pass second by second, as far as anybody waits for it.</summary>
    private static async Task PassAsync(ManualTimeProvider clock, CancellationToken token)
    {
        // The watch over a finished client looks once a second: when its timer is there, the FIN has been seen.
        while (clock.UntilNextTimer != PeerWatch.CheckInterval)
            await Task.Delay(5, token);
        for (var passed = TimeSpan.Zero; passed < NearlyAll; passed += PeerWatch.CheckInterval)
        {
            clock.Advance(PeerWatch.CheckInterval);
            await Task.Delay(1, token);
        }
    }

    private static async Task AnswerOkAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        await SocksClient.ReadAsync(stream, 10, token);
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"u8.ToArray(), token);
    }

    private Task<ProxyUnderTest> StartAsync(FakeTorWorker worker, TimeProvider? time = null) =>
        ProxyUnderTest.StartAsync([worker.EndPoint], options => options.Engine.Transport = engine, time);
}
