using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Tests.Support;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Health;

[CancelAfter(30_000)]
public class CircuitProbeTests
{
    [TestCase(0x05, true)]
    [TestCase(0x04, true)]
    [TestCase(0x02, true)]
    [TestCase(0xF0, true)]
    [TestCase(0x01, false)]
    [TestCase(0x06, false)]
    public async Task What_the_far_end_says_passes_and_what_the_circuit_says_does_not(int reply, bool works, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = _ => (byte)reply };
        Assert.That((await RunAsync(worker, "http://canary.example/", token)).Works, Is.EqualTo(works));
    }

    [TestCase("http://canary.example/", "HTTP/1.1 503 Busy\r\n\r\n", true)]
    [TestCase("http://canary.example/", "HTTP/1.1 200 OK\r\n", true, Description = "no field ever comes")]
    [TestCase("http://canary.example/", "HTTP/1.1 200", true)]
    [TestCase("http://canary.example/", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", true)]
    [TestCase("http://canary.example/", "SSH-2.0-x\r\n", true)]
    [TestCase("http://canary.example/", "", true)]
    [TestCase("https://canary.example/", "HTTP/1.1 400 no TLS here\r\n\r\n", true)]
    [TestCase("http://check.torproject.org/", "HTTP/1.1 200 OK\r\n\r\n{\"IsTor\":true,\"IP\":\"1.2.3.4\"}", true)]
    [TestCase("http://check.torproject.org/", "HTTP/1.1 200 OK\r\n\r\n{\"IsTor\":false,\"IP\":\"1.2.3.4\"}", false)]
    [TestCase("http://check.torproject.org/", "HTTP/1.1 502 Bad Gateway\r\n\r\n", true)]
    [TestCase(
        "http://check.torproject.org/", "HTTP/1.1 200 OK\r\nNEL: {\"max_age\":1}\r\n\r\n{\"IsTor\":false}", false,
        Description = "JSON in a field is not the answer")]
    [TestCase(
        "http://check.torproject.org/", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{\"IsTor\":false}", false,
        Description = "the body says it, whatever its head is like")]
    public async Task An_open_stream_passes_unless_it_says_that_it_was_not_tor(
        string canary, string answer, bool works, CancellationToken token)
    {
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                Assert.That(await stream.ReadAsync(new byte[4096], stop), Is.GreaterThan(0));
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), stop);
                stream.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
                await SocksClient.ReadToEndAsync(stream, stop);
            },
        };
        var result = await RunAsync(worker, canary, token);
        Assert.That(result.Works, Is.EqualTo(works), result.Detail);
    }

    /// <summary>It must not be waited for what an answer may never have.</summary>
    [TestCase("HTTP/1.1 200 OK\r\n", false)]
    [TestCase("HTTP/1.1 200 OK\nServer: x\n\n{\"IsTor\":true}", true)]
    [TestCase("SSH-2.0-x\r\n", false)]
    [TestCase("SSH-2.0-x\r\n", true)]
    [TestCase("\u0005\u0000no line ever ends", false)]
    [TestCase("\u0005\u0000no line ever ends", true)]
    public async Task A_stream_that_stays_open_behind_its_answer_is_not_waited_for(string answer, bool isTor, CancellationToken token)
    {
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), stop);
                await SocksClient.ReadToEndAsync(stream, stop);
            },
        };
        var result = await RunAsync(worker, isTor ? "http://check.torproject.org/" : "http://canary.example/", token);
        Assert.That(result.Works, Is.True, result.Detail);
        Assert.That(result.Detail, Does.Not.Contain("in time"));
    }

    [Test]
    public async Task The_request_is_what_curl_sends(CancellationToken token)
    {
        var request = new TaskCompletionSource<string>();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                byte[] buffer = new byte[4096];
                request.SetResult(Encoding.ASCII.GetString(buffer, 0, await stream.ReadAsync(buffer, stop)));
            },
        };
        await RunAsync(worker, "http://canary.example:8080/a?b=c", token);
        Assert.That(await request.Task, Is.EqualTo(
            "GET /a?b=c HTTP/1.1\r\nHost: canary.example:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n"));
    }

    [Test]
    public async Task Each_probe_asks_for_a_circuit_of_its_own(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await RunAsync(worker, "canary.example:80", token);
        await RunAsync(worker, "canary.example:80", token);
        Assert.That(worker.Requests.Select(static request => request.Password), Is.Unique.And.All.Match("^probe-[0-9a-f]{26}$"));
    }

    private static Task<CanaryResult> RunAsync(FakeTorWorker worker, string canary, CancellationToken token)
    {
        var time = TimeProvider.System;
        var probe = new CircuitProbe(new WorkerDialer(new SocketTransport(time), new ConnectOptions(), time), time);
        return probe.RunAsync(new WorkerModel("w", worker.EndPoint), Canary.Parse(canary), TimeSpan.FromSeconds(20), token);
    }
}
