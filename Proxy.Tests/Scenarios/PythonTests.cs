using TorBalancer.Processes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Python's requests: PySocks for SOCKS, urllib3's own code for HTTP.</summary>
public sealed class PythonTests : ScenarioFixture
{
    private const string Script = """
        import hashlib, sys, requests
        proxy, certificate = sys.argv[1:3]
        session = requests.Session()
        session.trust_env = False
        session.proxies = {'http': proxy, 'https': proxy}
        session.verify = certificate
        for url in sys.argv[3:]:
            if url.endswith('/upload'):
                data = bytes(range(256)) * 4096
                answer = session.put(url, data=data, timeout=40)
                print(answer.status_code, hashlib.sha256(data).hexdigest() in answer.text)
            else:
                print(session.get(url, timeout=40).text.split('\n')[0])
        """;

    [TestCase("socks5h")]
    [TestCase("socks4a")]
    [TestCase("http")]
    [CancelAfter(90_000)]
    public async Task Requests_to_name_onion_and_https(string scheme, CancellationToken token)
    {
        string certificate = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(certificate, Web.Certificate.ExportCertificatePem(), token);
            var result = await ClientProcess.RunAsync(
                await RequireAsync(token),
                [
                    "-c", Script, $"{scheme}://{Address}", certificate, OriginByName + "/exit", OriginByOnion + "/",
                    OriginByAddress + "/exit",
                    $"https://{WebOrigin.Name}:{Web.TlsPort}/", WebByName + "/upload",
                ],
                token);

            Assert.That(result.ExitCode, Is.Zero, result.Error);
            string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.That(lines, Has.Length.EqualTo(5));
            Assert.That(lines[0] + "\n", Is.AnyOf(ExitNames));
            Assert.That(lines[1], Does.StartWith("TorBalancer test origin"));
            Assert.That(lines[2..], Is.EqualTo(new[] { "unknown", "web origin", "200 True" }));
        }
        finally
        {
            File.Delete(certificate);
        }
    }

    [Test, CancelAfter(90_000)]
    public async Task Credentials_in_the_proxy_url_choose_the_worker(CancellationToken token)
    {
        int before = Proxy.Log.OfEvent("access_request").Count();
        var result = await ClientProcess.RunAsync(
            await RequireAsync(token), ["-c", Script, $"http://worker-worker-02:x@{Address}", "", OriginByName + "/exit"], token);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var entries = await Proxy.Log.WaitForAsync("access_request", before + 1, token);
        Assert.That(AccessEntry.Worker(entries[before]), Is.EqualTo("worker-02"));
    }

    /// <summary>A Python that has both modules. One in front of it in PATH may be another than the distribution's.</summary>
    private static async Task<string> RequireAsync(CancellationToken token)
    {
        foreach (string? python in (string?[])["/usr/bin/python3", Executables.Find("python3")])
        {
            if (python is not null
                && File.Exists(python)
                && (await ClientProcess.RunAsync(python, ["-c", "import requests, socks"], token)).ExitCode == 0)
                return python;
        }

        throw new IgnoreException("skipped: no python3 with requests and PySocks");
    }
}
