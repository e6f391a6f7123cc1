using System.Net;
using System.Net.Security;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>.NET's own HttpClient.</summary>
public sealed class HttpClientTests : ScenarioFixture
{
    [TestCase("socks5")]
    [TestCase("socks4a")]
    [TestCase("http")]
    [CancelAfter(60_000)]
    public async Task Name_onion_and_https(string scheme, CancellationToken token)
    {
        using HttpClient client = Client(new WebProxy($"{scheme}://{Address}"));
        Assert.That(await client.GetStringAsync(OriginByName + "/exit", token), Is.AnyOf(ExitNames));
        Assert.That(await client.GetStringAsync(OriginByOnion + "/exit", token), Is.EqualTo("unknown\n"));
        Assert.That(await client.GetStringAsync($"https://{WebOrigin.Name}:{Web.TlsPort}/", token), Is.EqualTo("web origin\n"));

        using var content = new ByteArrayContent(WebOrigin.FileBytes, 0, 1_000_000);
        using var answer = await client.PutAsync(WebByName + "/upload", content, token);
        Assert.That(
            await answer.Content.ReadAsStringAsync(token),
            Does.StartWith($"PUT 1000000 {WebOrigin.Hash(WebOrigin.FileBytes[..1_000_000])}"));
    }

    [TestCase("socks5")]
    [TestCase("http")]
    [CancelAfter(60_000)]
    public async Task Listener_that_asks_for_a_password_gets_it(string scheme, CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Required;
            options.Listeners[0].Users.Add("anna", "secret");
        });

        using HttpClient right = Client(
            new WebProxy($"{scheme}://{proxy.Address}") { Credentials = new NetworkCredential("anna", "secret") });
        Assert.That(await right.GetStringAsync(OriginByName + "/exit", token), Is.AnyOf(ExitNames));
        Assert.That(await right.GetStringAsync($"https://{WebOrigin.Name}:{Web.TlsPort}/", token), Is.EqualTo("web origin\n"));

        using HttpClient wrong = Client(
            new WebProxy($"{scheme}://{proxy.Address}") { Credentials = new NetworkCredential("anna", "guess") });
        Assert.That(
            async () => (await wrong.GetAsync(OriginByName + "/exit", token)).EnsureSuccessStatusCode(),
            Throws.InstanceOf<HttpRequestException>());
    }

    [TestCase("socks5")]
    [TestCase("socks4a")]
    [TestCase("http")]
    [CancelAfter(60_000)]
    public async Task Many_requests_at_one_time(string scheme, CancellationToken token)
    {
        using HttpClient client = Client(new WebProxy($"{scheme}://{Address}"));
        byte[][] answers = await Task.WhenAll(
            Enumerable.Range(0, 40).Select(i => client.GetByteArrayAsync($"{OriginByName}/bytes/{10_000 + i}", token)));
        Assert.That(answers.Select(static answer => answer.Length), Is.EqualTo(Enumerable.Range(10_000, 40)));
    }

    private HttpClient Client(WebProxy proxy) => new(new SocketsHttpHandler
    {
        Proxy = proxy,
        UseProxy = true,
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                certificate?.GetCertHashString() == Web.Certificate.GetCertHashString(),
        },
    });
}
