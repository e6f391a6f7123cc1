using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>curl through one port, in every way that it can be told to use a proxy.</summary>
public sealed class CurlTests : ScenarioFixture
{
    private string _directory = "";
    private string _certificate = "";

    [OneTimeSetUp]
    public void WriteCertificate()
    {
        _directory = Directory.CreateTempSubdirectory("tbc").FullName;
        _certificate = Path.Combine(_directory, "origin.pem");
        File.WriteAllText(_certificate, Web.Certificate.ExportCertificatePem());
    }

    [OneTimeTearDown]
    public void RemoveFiles() => Directory.Delete(_directory, recursive: true);

    // socks4 and socks5 resolve names themselves, which here would ask the machine's own resolver: literals only.
    [TestCase("socks4")]
    [TestCase("socks5")]
    [TestCase("socks4a")]
    [TestCase("socks5h")]
    [TestCase("http")]
    [CancelAfter(60_000)]
    public async Task Literal_through_every_protocol(string scheme, CancellationToken token) =>
        Assert.That(await FetchAsync(token, "--proxy", $"{scheme}://{Address}", OriginByAddress + "/exit"), Is.EqualTo("unknown\n"));

    [TestCase("socks4a")]
    [TestCase("socks5h")]
    [TestCase("http")]
    [CancelAfter(60_000)]
    public async Task Name_through_every_protocol_that_carries_names(string scheme, CancellationToken token) =>
        Assert.That(await FetchAsync(token, "--proxy", $"{scheme}://{Address}", OriginByName + "/exit"), Is.AnyOf(ExitNames));

    [TestCase("socks4a")]
    [TestCase("socks5h")]
    [TestCase("http")]
    [CancelAfter(60_000)]
    public async Task Onion_through_every_protocol_that_carries_names(string scheme, CancellationToken token) =>
        Assert.That(
            await FetchAsync(token, "--proxy", $"{scheme}://{Address}", OriginByOnion + "/"), Does.StartWith("TorBalancer test origin"));

    [Test, CancelAfter(60_000)]
    public async Task CONNECT_for_plain_http_to_name_literal_and_onion(CancellationToken token)
    {
        string[] proxy = ["--proxytunnel", "--proxy", $"http://{Address}"];
        Assert.That(await FetchAsync(token, [.. proxy, OriginByName + "/exit"]), Is.AnyOf(ExitNames));
        Assert.That(await FetchAsync(token, [.. proxy, OriginByAddress + "/exit"]), Is.EqualTo("unknown\n"));
        Assert.That(await FetchAsync(token, [.. proxy, OriginByOnion + "/"]), Does.StartWith("TorBalancer test origin"));
    }

    [TestCase("http")]
    [TestCase("socks5h")]
    [TestCase("socks4a")]
    [CancelAfter(60_000)]
    public async Task Https_to_name_and_literal(string scheme, CancellationToken token)
    {
        string[] proxy = ["--cacert", _certificate, "--proxy", $"{scheme}://{Address}"];
        Assert.That(await FetchAsync(token, [.. proxy, $"https://{WebOrigin.Name}:{Web.TlsPort}/"]), Is.EqualTo("web origin\n"));
        Assert.That(await FetchAsync(token, [.. proxy, $"https://127.0.0.1:{Web.TlsPort}/"]), Is.EqualTo("web origin\n"));
    }

    [TestCase("ALL_PROXY", "socks5h")]
    [TestCase("all_proxy", "http")]
    [TestCase("http_proxy", "http")]
    [TestCase("http_proxy", "socks5h")]
    [CancelAfter(60_000)]
    public async Task Proxy_named_in_the_environment(string variable, string scheme, CancellationToken token)
    {
        var environment = new Dictionary<string, string> { [variable] = $"{scheme}://{Address}" };
        foreach (string url in (string[])[OriginByName + "/exit", OriginByOnion + "/exit", OriginByAddress + "/exit"])
        {
            var result = await ClientProcess.CurlAsync(environment, token, url);
            Assert.That(result.ExitCode, Is.Zero, $"{url}: {result.Error}");
            Assert.That(result.Output, Is.AnyOf([.. ExitNames, "unknown\n"]));
        }
    }

    [Test, CancelAfter(60_000)]
    public async Task Https_proxy_named_in_the_environment(CancellationToken token)
    {
        var environment = new Dictionary<string, string> { ["https_proxy"] = $"http://{Address}" };
        var result = await ClientProcess.CurlAsync(
            environment, token, "--cacert", _certificate, $"https://{WebOrigin.Name}:{Web.TlsPort}/");
        Assert.That(result.Output, Is.EqualTo("web origin\n"), result.Error);
    }

    [TestCase("http")]
    [TestCase("socks5h")]
    [CancelAfter(60_000)]
    public async Task POST_returns_what_was_sent(string scheme, CancellationToken token) =>
        Assert.That(
            await FetchAsync(token, "--proxy", $"{scheme}://{Address}", "--data", "a=1&b=two", OriginByName + "/echo"),
            Is.EqualTo("a=1&b=two"));

    [TestCase("http")]
    [TestCase("socks5h")]
    [CancelAfter(60_000)]
    public async Task HEAD_has_a_length_and_no_body(string scheme, CancellationToken token)
    {
        string head = await FetchAsync(token, "--proxy", $"{scheme}://{Address}", "--head", WebByName + "/file");
        Assert.That(head, Does.StartWith("HTTP/1.1 200 OK").And.Contain($"Content-Length: {WebOrigin.FileLength}"));
    }

    [TestCase("http")]
    [TestCase("socks5h")]
    [CancelAfter(120_000)]
    public async Task Download_of_20_MB_is_whole(string scheme, CancellationToken token)
    {
        var result = await ClientProcess.CurlAsync(token, "--proxy", $"{scheme}://{Address}", WebByName + "/file");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Bytes, Has.Length.EqualTo(WebOrigin.FileLength));
        Assert.That(WebOrigin.Hash(result.Bytes), Is.EqualTo(WebOrigin.Hash(WebOrigin.FileBytes)));
    }

    [Test, CancelAfter(60_000)]
    public async Task Chunked_download_is_whole(CancellationToken token)
    {
        var chunked = await ClientProcess.CurlAsync(token, "--proxy", $"http://{Address}", OriginByName + "/chunked/3000000");
        var plain = await ClientProcess.CurlAsync(token, "--proxy", $"http://{Address}", OriginByName + "/bytes/3000000");
        Assert.That(chunked.Bytes, Has.Length.EqualTo(3_000_000), chunked.Error);
        Assert.That(WebOrigin.Hash(chunked.Bytes), Is.EqualTo(WebOrigin.Hash(plain.Bytes)));
    }

    [TestCase("http")]
    [TestCase("socks5h")]
    [CancelAfter(60_000)]
    public async Task Range_of_a_download(string scheme, CancellationToken token)
    {
        var result = await ClientProcess.CurlAsync(
            token, "--proxy", $"{scheme}://{Address}", "--range", "1000000-1999999", WebByName + "/file");
        Assert.That(WebOrigin.Hash(result.Bytes), Is.EqualTo(WebOrigin.Hash(WebOrigin.FileBytes[1_000_000..2_000_000])), result.Error);
    }

    [TestCase("http", "")]
    [TestCase("http", "Transfer-Encoding: chunked")]
    [TestCase("http", "Expect: 100-continue")]
    [TestCase("socks5h", "")]
    [TestCase("socks5h", "Transfer-Encoding: chunked")]
    [CancelAfter(60_000)]
    public async Task Upload_of_5_MB_arrives_whole(string scheme, string header, CancellationToken token)
    {
        byte[] body = RandomNumberGenerator.GetBytes(5 * 1024 * 1024);
        string file = Path.Combine(_directory, Path.GetRandomFileName());
        await File.WriteAllBytesAsync(file, body, token);

        // Without a value curl leaves its own Expect out.
        string[] headers = header.StartsWith("Expect", StringComparison.Ordinal)
            ? ["--header", header, "--expect100-timeout", "20"]
            : ["--header", header.Length > 0 ? header : "X-None: 1", "--header", "Expect:"];
        string answer = await FetchAsync(
            token, ["--proxy", $"{scheme}://{Address}", "--upload-file", file, .. headers, WebByName + "/upload"]);

        string framing = header.Contains("chunked", StringComparison.Ordinal) ? "te=chunked" : "te= ";
        Assert.That(answer, Does.StartWith($"PUT {body.Length} {WebOrigin.Hash(body)} {framing}"));
        Assert.That(answer, Does.EndWith(header.StartsWith("Expect", StringComparison.Ordinal) ? "expect=100-continue" : "expect="));
    }

    [Test, CancelAfter(60_000)]
    public async Task Several_requests_of_one_kept_alive_connection_go_where_each_says(CancellationToken token)
    {
        string bodies = await FetchAsync(
            token, "--proxy", $"http://{Address}", OriginByName + "/exit", WebByName + "/", OriginByOnion + "/exit",
            OriginByName + "/exit");
        string[] lines = bodies.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(4));
        Assert.That(lines[0] + "\n", Is.AnyOf(ExitNames));
        Assert.That(lines[1], Is.EqualTo("web origin"));
        Assert.That(lines[2], Is.EqualTo("unknown"));
        Assert.That(lines[3] + "\n", Is.AnyOf(ExitNames));
    }

    [Test, CancelAfter(60_000)]
    public async Task Nothing_that_names_the_client_or_the_proxy_is_forwarded(CancellationToken token)
    {
        string head = await FetchAsync(token, "--proxy", $"http://someone:secret@{Address}", OriginByName + "/headers");
        Assert.That(head, Does.StartWith("GET /headers HTTP/1.1"));
        Assert.That(head, Does.Contain($"Host: {TestNetwork.OriginName}:{Network.OriginPort}"));
        foreach (string forbidden in (string[])["Proxy-", "Via", "Forwarded", "someone", "127.0.0.1"])
            Assert.That(head, Does.Not.Contain(forbidden).IgnoreCase);
    }

    [TestCase("http")]
    [TestCase("socks5h")]
    [CancelAfter(60_000)]
    public async Task Session_in_the_user_name_keeps_one_worker(string scheme, CancellationToken token)
    {
        string kind = scheme == "http" ? "access_request" : "access";
        int before = Proxy.Log.OfEvent(kind).Count();
        for (int i = 0; i < 4; i++)
            await FetchAsync(token, "--proxy", $"{scheme}://session-curl{scheme}:@{Address}", OriginByName + "/exit");
        var entries = await Proxy.Log.WaitForAsync(kind, before + 4, token);
        Assert.That(entries.Skip(before).Select(AccessEntry.Worker).Distinct().Count(), Is.EqualTo(1));
    }

    private static async Task<string> FetchAsync(CancellationToken token, params string[] arguments)
    {
        var result = await ClientProcess.CurlAsync(token, arguments);
        Assert.That(result.ExitCode, Is.Zero, $"{string.Join(' ', arguments)}: {result.Error}");
        return result.Output;
    }
}
