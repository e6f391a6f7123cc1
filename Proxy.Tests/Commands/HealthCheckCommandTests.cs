using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon;
using TorBalancer.Daemon.Commands;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

/// <summary>torbalancer healthcheck in front of the real admin API.</summary>
[CancelAfter(60_000)]
public class HealthCheckCommandTests
{
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("tbh").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task HealthCheck_with_a_worker_is_ready_and_0()
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var (code, output, error) = await RunAsync($"{admin.Server.Address}");

        Assert.That((code, output, error), Is.EqualTo((0, "ready: 1 of 1 workers may carry connections\n", "")));
    }

    [Test]
    public async Task HealthCheck_without_a_usable_worker_says_why_and_1(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        await admin.PostAsync("/api/v1/workers/worker-01/drain", token);

        var (code, output, error) = await RunAsync($"{admin.Server.Address}");

        Assert.That((code, output), Is.EqualTo((1, "")));
        Assert.That(
            error,
            Does.StartWith("torbalancer healthcheck: not ready: 0 of 1 workers may carry connections; worker-01 HEALTHY (draining)"));
    }

    [Test]
    public async Task HealthCheck_asks_by_the_socket_where_there_is_one()
    {
        string socket = Path.Combine(_directory, "admin.sock");
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], socket: socket);

        var (code, output, error) = await RunAsync("none", $"unix:{socket}");

        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.StartWith("ready: "));
    }

    [Test]
    public async Task HealthCheck_of_a_daemon_that_is_gone_names_the_places_and_1()
    {
        string socket = Path.Combine(_directory, "admin.sock");
        await File.WriteAllTextAsync(socket, "");
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        var (code, output, error) = await RunAsync($"{closed.LocalEndPoint}", $"unix:{socket}");

        Assert.That((code, output), Is.EqualTo((1, "")));
        Assert.That(
            error,
            Is.EqualTo(
                $"torbalancer healthcheck: no daemon answers ({socket}: Connection refused; "
                    + $"{closed.LocalEndPoint}: Connection refused)\n"));
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "what answers is not the admin API")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "what answers is not the admin API")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n{\"ready\":\"\",\"stage\":0,\"summary\":\"\",\"workers\":[]}",
        "what answers is not the admin API")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "is not the admin API's")]
    [TestCase("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "with status 503")]
    [TestCase("SSH-2.0-OpenSSH_9.2\r\n", "no daemon answers (")]
    public async Task HealthCheck_of_something_else_says_so_and_1(string answer, string expected, CancellationToken token)
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        other.Listen();
        var serving = ServeAsync(other, answer, token);

        var (code, _, error) = await RunAsync($"{other.LocalEndPoint}");

        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Does.Contain(expected));
        await serving;
    }

    [Test]
    public async Task HealthCheck_without_any_place_says_so_and_1() =>
        Assert.That(await RunAsync("none"), Is.EqualTo(
            (1, "", "torbalancer healthcheck: there is nothing to ask: [Admin] Address is none and there is no socket\n")));

    [TestCase(true, 0), TestCase(false, 1)]
    public async Task HealthCheck_over_https_takes_the_configured_certificate_alone_and_sends_the_token(bool isOurs, int expected)
    {
        using var certificate = TestCertificate.Create();
        using var other = TestCertificate.Create();
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(
            [worker.EndPoint], endPoints: places => places with { Token = "0123456789abcdef", Certificate = certificate });
        var ours = isOurs ? certificate : other;
        string pem = Path.Combine(_directory, "cert.pem"), key = Path.Combine(_directory, "key.pem");
        await File.WriteAllTextAsync(pem, ours.ExportCertificatePem());
        await File.WriteAllTextAsync(key, ours.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());

        var (code, output, error) = await RunAsync($"{admin.Server.Address}", $"none\nToken = 0123456789abcdef\nTls = {pem}, {key}");

        Assert.That(code, Is.EqualTo(expected), error);
        Assert.That(output, isOurs ? Does.StartWith("ready: 1 of 1") : Is.Empty);
    }

    [Test]
    public async Task HealthCheck_with_an_argument_that_is_no_key_is_2()
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };

        Assert.That(await Program.RunAsync(["healthcheck", "--fast"], output, error), Is.EqualTo(2));
    }

    [Test]
    public void Places_are_the_socket_that_exists_and_the_address()
    {
        string socket = Path.Combine(_directory, "torbalancer", "admin.sock");
        Directory.CreateDirectory(Path.GetDirectoryName(socket)!);
        File.WriteAllText(socket, "");
        var admin = new AdminOptions();

        var places = HealthCheckCommand.Places(admin, name => name == "RUNTIME_DIRECTORY" ? Path.GetDirectoryName(socket) : null, 1000);

        Assert.That(places.Select(static place => place.ToString()), Is.EqualTo(new[] { socket, "127.0.0.1:1081" }));
    }

    private static async Task ServeAsync(Socket listener, string answer, CancellationToken token)
    {
        using var client = await listener.AcceptAsync(token);
        await client.ReceiveAsync(new byte[4096], token);
        await client.SendAsync(Encoding.ASCII.GetBytes(answer), token);
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(string address, string socket = "none")
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        string file = Path.Combine(_directory, "t.conf");
        await File.WriteAllTextAsync(file, $"[Admin]\nAddress = {address}\nSocket = {socket}\n");
        int code = await Program.RunAsync(["healthcheck", "--config", file], output, error);
        return (code, output.ToString(), error.ToString());
    }
}
