using System.Net;
using System.Net.Http.Headers;
using TorBalancer.Tests.Configuration;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>[Admin] Token and Tls, over real connections.</summary>
public sealed class AdminTokenTests
{
    private const string Token = "0123456789abcdef-of-the-test";

    [Test, CancelAfter(30_000)]
    public async Task Nobody_passes_over_tcp_without_the_token(CancellationToken token)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tb-token-{Environment.ProcessId}.sock");
        await using var admin = await AdminUnderTest.StartAsync(
            [], socket: path, endPoints: static places => places with { Token = Token });
        string?[] wrong = [null, "", "Bearer", "Bearer " + Token[..^1], "Bearer " + Token + "x", "Basic " + Token, Token];
        foreach (string? given in wrong)
        {
            foreach (
                string what in (string[])[
                    "/api/v1/health", "/api/v1/events", "/api/v1/openapi.json", "/metrics", "/nothing", "/page/nothing.js"])
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, admin.Base + what);
                if (given is not null)
                    request.Headers.TryAddWithoutValidation("Authorization", given);
                var response = await admin.Client.SendAsync(request, token);
                var problem = await AdminUnderTest.ReadAsync(response, HttpStatusCode.Unauthorized, token);
                Assert.That(problem.GetProperty("detail").GetString(), Does.Not.Contain(Token));
                Assert.That(response.Headers.WwwAuthenticate.ToString(), Does.StartWith("Bearer realm="));
            }
        }

        admin.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("bearer", Token);
        Assert.That((await admin.GetAsync("/api/v1/health", token)).GetProperty("total_workers").GetInt32(), Is.Zero);
        using var local = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = (_, cancel) => TorBalancer.Transport.Sockets.SocketStream.ConnectAsync(
                new System.Net.Sockets.UnixDomainSocketEndPoint(path), cancel),
        });
        Assert.That((await local.GetAsync("http://localhost/api/v1/health", token)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test, CancelAfter(30_000)]
    public async Task Address_is_served_in_https(CancellationToken token)
    {
        using var certificate = TestCertificate.Create();
        await using var admin = await AdminUnderTest.StartAsync(
            [], endPoints: places => places with { Token = Token, Certificate = certificate });
        using var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions =
            {
                RemoteCertificateValidationCallback = (_, shown, _, _) => shown!.GetCertHashString() == certificate.GetCertHashString(),
            },
        });
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        string address = $"https://{admin.Server.Address}";
        Assert.That((await client.GetAsync(address + "/api/v1/health", token)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var page = new HttpRequestMessage(HttpMethod.Get, address + "/api/v1/health");
        page.Headers.Add("Origin", "https://elsewhere.example");
        Assert.That((await client.SendAsync(page, token)).StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
        Assert.That(() => admin.Client.GetAsync(admin.Base + "/api/v1/health", token), Throws.InstanceOf<HttpRequestException>());
    }

    [TestCase("[Admin]\nAddress = 192.0.2.1:1081\nToken = 0123456789abcdef", "is not on loopback and not encrypted")]
    [TestCase("[Admin]\nAddress = none\nTls = /c.pem, /k.pem", "Tls is without effect")]
    public void What_is_weak_is_warned_of(string text, string warning)
    {
        var files = new FakeFiles();
        files.Texts["/c.pem"] = files.Texts["/k.pem"] = "";
        var result = Loading.Text(text, files);
        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(Loading.Join(result.Warnings), Does.Contain(warning));
    }

    [Test]
    public void Token_is_read_from_its_file_and_shown_nowhere()
    {
        var files = new FakeFiles();
        files.Texts["/etc/token"] = Token + "\nnothing else counts\n";
        var result = Loading.Text("[Admin]\nAddress = 0.0.0.0:1081\nTokenFile = /etc/token\nTls = /etc/token, /etc/token\n", files);
        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Admin.Token, Is.EqualTo(Token));
        Assert.That(Loading.Errors($"[Admin]\nToken = {Token}\nTokenFile = /nowhere"), Does.Contain("are both given"));
        files.Texts["/etc/token"] = "short";
        Assert.That(
            Loading.Join(Loading.Text("[Admin]\nTokenFile = /etc/token\n", files).Errors),
            Does.Contain("TokenFile the token in /etc/token is too short").And.Not.Contain("\"short\""));
    }
}
