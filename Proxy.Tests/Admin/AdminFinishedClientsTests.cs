using System.Globalization;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>Small tools that send FIN behind their request, and clients that leave.</summary>
[SupportedOSPlatform("linux")]
[CancelAfter(60_000)]
public class AdminFinishedClientsTests
{
    private const string Fetch = """{"url":"http://a.example/"}""";

    private string _directory = "";

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("tbf").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, true);

    [TestCase("GET /api/v1/health HTTP/1.1", "", 200, false)]
    [TestCase("GET /api/v1/workers HTTP/1.0", "", 200, false)]
    [TestCase("POST /api/v1/fetch HTTP/1.1", Fetch, 200, false)]
    [TestCase("POST /api/v1/fetch HTTP/1.1", Fetch, 200, true)]
    [TestCase("POST /api/v1/fetch HTTP/1.0", Fetch, 200, false)]
    [TestCase("POST /api/v1/workers/worker-01/enable HTTP/1.1", "{}", 200, true)]
    [TestCase("POST /api/v1/fetch HTTP/1.1", "{x", 400, false)]
    [TestCase("POST /api/v1/workers/nobody/enable HTTP/1.1", "{}", 404, false)]
    public async Task Real_netcat_that_finishes_behind_its_request_is_answered(
        string line, string body, int status, bool overSocket, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", HttpScript.Answer("here")).Behind(worker);
        string path = Path.Combine(_directory, "admin.sock");
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], socket: path);
        string fields = body.Length == 0 ? "" : $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n";
        byte[] request = Encoding.ASCII.GetBytes($"{line}\r\nHost: {admin.Server.Address}\r\nConnection: close\r\n{fields}\r\n{body}");
        string[] to = overSocket ? ["-U", path] : ["127.0.0.1", admin.Server.Address!.Port.ToString(CultureInfo.InvariantCulture)];
        for (int round = 0; round < 30; round++)
        {
            var result = await ClientProcess.RunAsync("nc.openbsd", ["-N", .. to], token, input: request);
            Assert.That(result.Output, Does.StartWith($"HTTP/1.1 {status} "), $"round {round}");
            if (body == Fetch)
                Assert.That(result.Output, Does.Contain("\"body\":\"here\""), $"round {round}");
        }
    }

    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: {0}\r\nX")]
    public async Task Client_that_finishes_within_its_head_is_told(string request, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(admin.Server.Address!, token);
        await socket.SendAsync(Encoding.Latin1.GetBytes(string.Format(CultureInfo.InvariantCulture, request, admin.Server.Address)), token);
        await using var stream = new NetworkStream(socket, false);
        socket.Shutdown(SocketShutdown.Send);

        Assert.That(Encoding.Latin1.GetString(await SocksClient.ReadToEndAsync(stream, token)), Does.StartWith("HTTP/1.1 400 "));
    }

    [TestCase(false, Description = "by a reset")]
    [TestCase(true, Description = "by closing its unix socket")]
    public async Task Client_that_leaves_ends_its_fetch(bool overSocket, CancellationToken token)
    {
        var reached = new TaskCompletionSource();
        var ended = new TaskCompletionSource();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                reached.TrySetResult();
                try
                {
                    await SocksClient.ReadToEndAsync(stream, stop);
                }
                finally
                {
                    ended.TrySetResult();
                }
            },
        };
        string path = Path.Combine(_directory, "admin.sock");
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], socket: path);
        const string body = """{"url":"http://a.example/","timeout":600}""";
        using var socket = overSocket
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { LingerState = new LingerOption(true, 0) };
        await socket.ConnectAsync(overSocket ? new UnixDomainSocketEndPoint(path) : admin.Server.Address!, token);
        await socket.SendAsync(
            Encoding.Latin1.GetBytes(
                $"POST /api/v1/fetch HTTP/1.1\r\nHost: {admin.Server.Address}\r\nContent-Type: application/json\r\nContent-Length: "
                    + $"{body.Length}\r\n\r\n{body}"),
            token);
        await reached.Task.WaitAsync(token);

        socket.Dispose();

        await ended.Task.WaitAsync(token);
    }
}
