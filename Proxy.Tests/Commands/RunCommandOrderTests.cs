using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

/// <summary>In which order the daemon comes up and goes down, on the real process in front of a fake worker.</summary>
[CancelAfter(60_000)]
[Category(ProgramRun.Native)]
public sealed class RunCommandOrderTests
{
    [Test]
    public async Task Service_manager_is_told_when_the_admin_api_answers_too(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory(), path = Path.Combine(directory, "admin.sock"), notify = Path.Combine(
            directory, "notify.sock");
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(notify));
        var starting = DaemonUnderTest.StartAsync(Configuration(worker), token, directory, socket: "unix:" + path, notify: notify);
        byte[] buffer = new byte[512];
        int length = await manager.ReceiveAsync(buffer, token);
        Assert.That(
            Encoding.ASCII.GetString(buffer, 0, length), Is.EqualTo("READY=1\nSTATUS=ready: 1 of 1 workers may carry connections"));

        using var admin = Admin(path);
        Assert.That((await admin.GetAsync("http://torbalancer/api/v1/health", token)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        await using var daemon = await starting;
        Assert.That(await daemon.StopAsync(token), Is.Zero);

        // 30 s of DrainTimeout and what follows it, whatever the unit's TimeoutStopSec is.
        Assert.That(
            Encoding.ASCII.GetString(buffer, 0, await manager.ReceiveAsync(buffer, token)),
            Does.StartWith("STOPPING=1\nEXTEND_TIMEOUT_USEC=75000000\nSTATUS="));
    }

    [Test]
    public async Task Admin_api_stays_until_the_proxy_has_drained(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string directory = DaemonUnderTest.MakeDirectory(), path = Path.Combine(directory, "admin.sock");
        await using var daemon = await DaemonUnderTest.StartAsync(Configuration(worker), token, directory, socket: "unix:" + path);
        using var admin = Admin(path);
        using (var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            await client.ConnectAsync(daemon.Address, token);
            await using var stream = new NetworkStream(client, ownsSocket: false);
            Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1], Is.Zero);

            daemon.Terminate();
            await daemon.WaitForLineAsync(static line => line.Contains("connections may go on", StringComparison.Ordinal), token);
            string live = await admin.GetStringAsync("http://torbalancer/api/v1/connections", token);
            Assert.That(live, Does.Contain("\"worker\":\"w1\""));
            using var body = new ByteArrayContent("""{"url":"http://a.example/"}"""u8.ToArray());
            body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            Assert.That(
                (await admin.PostAsync("http://torbalancer/api/v1/fetch", body, token)).StatusCode,
                Is.EqualTo(HttpStatusCode.ServiceUnavailable), "no new work");
        }

        Assert.That(await daemon.Exited.WaitAsync(token), Is.Zero);
        Assert.That(daemon.Lines, Has.Some.Contains("ended by themselves: True"));
    }

    private static string Configuration(FakeTorWorker worker) =>
        $"[Worker:w1]\nAddress = 127.0.0.1\nSocksPort = {((IPEndPoint)worker.EndPoint).Port}\n[Health]\nEnabled = no\n";

    private static HttpClient Admin(string path) => new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectCallback = async (_, token) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), token);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });
}
