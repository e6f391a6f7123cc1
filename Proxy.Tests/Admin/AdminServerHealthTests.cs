using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>The checks of load balancers, which are plainer than any client's requests.</summary>
[CancelAfter(60_000)]
public class AdminServerHealthTests
{
    [TestCase("GET /api/v1/health HTTP/1.0\r\n\r\n", 200)]
    [TestCase("HEAD /api/v1/health HTTP/1.0\r\n\r\n", 200)]
    [TestCase("OPTIONS / HTTP/1.0\r\n\r\n", 204)]
    [TestCase("OPTIONS * HTTP/1.0\r\n\r\n", 204)]
    [TestCase("OPTIONS /api/v1/health HTTP/1.0\r\n\r\n", 204)]
    [TestCase("HEAD / HTTP/1.0\r\n\r\n", 200)]
    [TestCase("GET / HTTP/1.0\r\n\r\n", 200)]
    [TestCase("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: LOCALHOST.\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.2\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\nConnection: close\r\n\r\n", 421)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n", 421)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: localhost.evil.example\r\nConnection: close\r\n\r\n", 421)]
    [TestCase("GET http://{0}/api/v1/health HTTP/1.0\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.0\r\nHost: {0}\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n", 204)]
    [TestCase("GET http://{0}/api/v1/health HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n", 200)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nConnection: close\r\n\r\n", 400, Description = "RFC 9112, section 3.2")]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: {0}\r\nHost: {0}\r\n\r\n", 400)]
    [TestCase("GET /api/v1/health HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421)]
    [TestCase("GET /api/v1/health HTTP/1.0\r\nHost:\r\n\r\n", 200)]
    [TestCase("OPTIONS / HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421)]
    [TestCase("GET /api/v1/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421)]
    [TestCase("GET http://evil.example/api/v1/health HTTP/1.0\r\n\r\n", 421)]
    [TestCase("GET http://evil.example/api/v1/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421)]
    [TestCase("GET http://evil.example/api/v1/health HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n", 400)]
    [TestCase("GET http://{0}/api/v1/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 400)]
    [TestCase("POST /api/v1/fetch HTTP/1.0\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n", 403)]
    public async Task Request_is_answered_by_what_it_says_of_its_host(string request, int status, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        using var client = new TcpClient();
        await client.ConnectAsync(admin.Server.Address!, token);

        await client.GetStream()
            .WriteAsync(Encoding.Latin1.GetBytes(string.Format(CultureInfo.InvariantCulture, request, admin.Server.Address)), token);

        string answer = Encoding.Latin1.GetString(await SocksClient.ReadToEndAsync(client.GetStream(), token));
        Assert.That(answer, Does.Match($"^HTTP/1\\.1 {status} "));
        if (status == 204 && request.StartsWith("OPTIONS", StringComparison.Ordinal))
            Assert.That(answer, Does.Contain("\r\nAllow: "));
    }

    [TestCase("option httpchk")]
    [TestCase("option httpchk GET /api/v1/health")]
    [TestCase("option httpchk HEAD /api/v1/health")]
    [TestCase("option httpchk HEAD /")]
    [TestCase("option httpchk\n    http-check send meth GET uri /api/v1/health ver HTTP/1.1 hdr Host localhost")]
    [TestCase("option httpchk\n    http-check send meth GET uri /api/v1/health ver HTTP/1.1 hdr Host localhost:{0}")]
    public async Task HAProxy_finds_us_up(string check, CancellationToken token)
    {
        const string haproxy = "/usr/sbin/haproxy";
        if (!File.Exists(haproxy))
            Assert.Ignore("skipped: haproxy is not installed");
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        int port = admin.Server.Address!.Port;
        string directory = Directory.CreateTempSubdirectory("tbh").FullName;
        try
        {
            string file = Path.Combine(directory, "haproxy.cfg"), stats = Path.Combine(directory, "stats");
            await File.WriteAllTextAsync(file, $"""
                global
                    stats socket {stats} mode 600
                defaults
                    mode http
                    timeout connect 10s
                    timeout client 10s
                    timeout server 10s
                    timeout check 10s
                backend ours
                    {string.Format(CultureInfo.InvariantCulture, check, port)}
                    server one 127.0.0.1:{port} check inter 200ms fall 1

                """, token);
            await using var process = ForegroundProcess.Start([haproxy, "-db", "-f", file]);

            string row;
            do
            {
                await Task.Delay(50, token);
                row = await StatusAsync(stats, token);
            }
            while (!row.Contains(",L7", StringComparison.Ordinal));

            Assert.That(row, Does.Contain(",UP,").And.Contain(",L7OK,"), process.ToString());
        }
        finally
        {
            Directory.Delete(directory, true);
        }
    }

    /// <summary>HAProxy's row of our server; empty as long as it does not answer.</summary>
    private static async Task<string> StatusAsync(string path, CancellationToken token)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), token);
            await using var stream = new NetworkStream(socket, false);
            await stream.WriteAsync("show stat\n"u8.ToArray(), token);
            string table = Encoding.Latin1.GetString(await SocksClient.ReadToEndAsync(stream, token));
            return table.Split('\n').FirstOrDefault(static line => line.StartsWith("ours,one,", StringComparison.Ordinal)) ?? "";
        }
        catch (SocketException)
        {
            return "";
        }
    }
}
