using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using TorBalancer.Daemon.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>Clients that take places of the admin API and do nothing with them keep nobody out.</summary>
[SupportedOSPlatform("linux")]
[CancelAfter(60_000)]
public class AdminPlacesTests
{
    private const int Places = 256;

    [TestCase("")]
    [TestCase("GET /api/v1/hea")]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: {0}\r\nX: ")]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: {0}\r\n\r\n", Description = "idle, with an answer")]
    [TestCase("POST /api/v1/fetch HTTP/1.1\r\nHost: {0}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")]
    [TestCase(
        "POST /api/v1/workers/worker-01/enable HTTP/1.1\r\nHost: {0}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")]
    public async Task Clients_that_wait_make_room_for_others(string request, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        var sockets = new List<Socket>();
        try
        {
            byte[] bytes = Encoding.Latin1.GetBytes(
                string.Format(
                    System.Globalization.CultureInfo.InvariantCulture,
                    request.Replace("{", "{{", StringComparison.Ordinal).Replace("{{0}", "{0}", StringComparison.Ordinal),
                    admin.Server.Address));
            for (int i = 0; i < Places + 20; i++)
            {
                sockets.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                await sockets[^1].ConnectAsync(admin.Server.Address!, token);
                await sockets[^1].SendAsync(bytes, token);
            }

            for (int i = 0; i < 3; i++)
                await admin.GetAsync("/api/v1/health", token);
        }
        finally
        {
            sockets.ForEach(static socket => socket.Dispose());
        }

        // Those that were in the middle of a body: theirs, and no error of ours.
        await admin.GetAsync("/api/v1/health", token);
        Assert.That(admin.Proxy.Log.OfEvent("Failed"), Is.Empty);
    }

    [Test]
    public async Task Clients_that_do_not_read_their_answers_make_room_for_others(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Answer(new string('a', 10_000_000))).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);
        var sockets = new List<Socket>();
        try
        {
            string request = $"GET /api/v1/health HTTP/1.1\r\nHost: {admin.Server.Address}\r\n\r\n";
            for (int i = 0; i < Places; i++)
            {
                sockets.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 });
                await sockets[^1].ConnectAsync(admin.Server.Address!, token);
                await sockets[^1].SendAsync(Encoding.Latin1.GetBytes(string.Concat(Enumerable.Repeat(request, 500))), token);
            }

            await admin.GetAsync("/api/v1/health", token);
        }
        finally
        {
            sockets.ForEach(static socket => socket.Dispose());
        }
    }

    [Test]
    public async Task Half_a_head_is_ended_after_a_short_time(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(admin.Server.Address!, token);
        await socket.SendAsync("GET /api/v1/health HT"u8.ToArray(), token);

        await using var stream = new NetworkStream(socket, false);
        string answer = Encoding.Latin1.GetString(await SocksClient.ReadToEndAsync(stream, token));

        Assert.That(answer, Does.StartWith("HTTP/1.1 408 "));
    }

    [Test]
    public async Task Fetch_that_is_worked_on_keeps_its_place(CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        var reached = new TaskCompletionSource();
        await using var worker = new FakeTorWorker();
        var web = new HttpScript
        {
            Before = async stop =>
            {
                reached.TrySetResult();
                await gate.Task.WaitAsync(stop);
            },
        };
        web.On("a.example/", HttpScript.Answer("slow")).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);
        var fetching = admin.FetchAsync("""{"url":"http://a.example/"}""", token);
        await reached.Task.WaitAsync(token);
        var sockets = new List<Socket>();
        try
        {
            for (int i = 0; i < Places + 20; i++)
            {
                sockets.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                await sockets[^1].ConnectAsync(admin.Server.Address!, token);
            }

            using var other = new HttpClient(new SocketsHttpHandler { UseProxy = false });
            await AdminUnderTest.ReadAsync(await other.GetAsync(admin.Base + "/api/v1/health", token), HttpStatusCode.OK, token);
            gate.SetResult();

            Assert.That((await fetching).GetProperty("body").GetString(), Is.EqualTo("slow"));
        }
        finally
        {
            sockets.ForEach(static socket => socket.Dispose());
        }
    }

    [Test]
    public async Task Unix_socket_is_reachable_whatever_happens_at_the_address(CancellationToken token)
    {
        string directory = Directory.CreateTempSubdirectory("tba").FullName, path = Path.Combine(directory, "admin.sock");
        try
        {
            await using var admin = await AdminUnderTest.StartAsync([], socket: path);
            var sockets = new List<Socket>();
            try
            {
                for (int i = 0; i < Places + 20; i++)
                {
                    sockets.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                    await sockets[^1].ConnectAsync(admin.Server.Address!, token);
                    await sockets[^1].SendAsync("GET /"u8.ToArray(), token);
                }

                var result = await ProgramRun.CurlAsync(token, "--fail", "--unix-socket", path, "http://torbalancer/api/v1/health");
                Assert.That(result.ExitCode, Is.Zero, result.Error);
            }
            finally
            {
                sockets.ForEach(static socket => socket.Dispose());
            }
        }
        finally
        {
            Directory.Delete(directory, true);
        }
    }
}
