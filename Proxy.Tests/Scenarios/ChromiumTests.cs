using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>A browser: many connections at once, and a WebSocket.</summary>
public sealed class ChromiumTests : ScenarioFixture
{
    [TestCase("socks5")]
    [TestCase("http")]
    [CancelAfter(120_000)]
    public async Task Page_with_sub_resources_and_a_WebSocket(string scheme, CancellationToken token)
    {
        await using WebOrigin web = await WebOrigin.StartAsync(Network);
        var result = await DumpAsync(scheme, $"http://{WebOrigin.Name}:{web.Port}/page", token);

        // Three messages of text are scripts that ran, what the socket echoed, and how it closed.
        string expected = $"echoed 3,70000 closed 1000 scripts {(WebOrigin.Assets + 2) / 3}";
        Assert.That(web.Reports, Is.EqualTo(new[] { expected }), result.Error);
        Assert.That(result.Output, Does.Contain(expected));
        string host = $"{WebOrigin.Name}:{web.Port}";
        for (int i = 0; i < WebOrigin.Assets; i++)
            Assert.That(web.Requests, Has.Some.StartsWith($"{host}/asset/{i}."));
    }

    [TestCase("socks5")]
    [TestCase("http")]
    [CancelAfter(120_000)]
    public async Task Onion_service(string scheme, CancellationToken token)
    {
        var result = await DumpAsync(scheme, OriginByOnion + "/", token);
        Assert.That(result.Output, Does.Contain("TorBalancer test origin"), result.Error);
    }

    /// <summary>The proxy itself tells the browser where it is; how a browser asks for that is the browser's own.</summary>
    [Test, CancelAfter(120_000)]
    public async Task Proxy_that_its_own_file_names(CancellationToken token)
    {
        var result = await DumpAsync([$"--proxy-pac-url=http://{Address}/proxy.pac"], OriginByOnion + "/", token);
        Assert.That(result.Output, Does.Contain("TorBalancer test origin"), result.Error);
    }

    private Task<ClientResult> DumpAsync(string scheme, string url, CancellationToken token) =>
        DumpAsync([$"--proxy-server={scheme}://{Address}", "--proxy-bypass-list=<-loopback>"], url, token);

    /// <summary>Loads the page with a fresh profile and returns its document after the load event.</summary>
    /// <param name="at">The address of the proxy.</param>
    internal static async Task<ClientResult> DumpAsync(string[] proxy, string url, CancellationToken token, string at = "127.0.0.1")
    {
        string profile = Directory.CreateTempSubdirectory("tbw").FullName;
        try
        {
            return await ClientProcess.RunAsync(
                "chromium",
                [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions",
                    $"--user-data-dir={profile}",

                    // It must have no way around the proxy, and no name is its own to resolve.
                    .. proxy,
                    $"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {at}",
                    "--dump-dom", url,
                ],
                token,
                new Dictionary<string, string> { ["HOME"] = profile });
        }
        finally
        {
            await RemoveAsync(profile);
        }
    }

    /// <summary>Its helpers may still write into the profile for a moment after it has ended.</summary>
    private static async Task RemoveAsync(string profile)
    {
        for (int tries = 0; ; tries++)
        {
            try
            {
                Directory.Delete(profile, recursive: true);
                return;
            }
            catch (IOException) when (tries < 20)
            {
                await Task.Delay(100);
            }
        }
    }
}
