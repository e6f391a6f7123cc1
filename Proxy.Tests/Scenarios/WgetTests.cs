using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>The real wget, which leaves the user and password of a URL in the request target.</summary>
public sealed class WgetTests : ScenarioFixture
{
    [Test, CancelAfter(60_000)]
    public async Task Url_with_user_and_password(CancellationToken token)
    {
        string url = OriginByName.Replace("://", "://me:hunter2@", StringComparison.Ordinal) + "/headers";
        string[] options =
        [
            "--quiet", "--tries=1", "--no-config", "--output-document=-", "--execute=use_proxy=yes",
            $"--execute=http_proxy=http://{Address}",
        ];

        var result = await ClientProcess.RunAsync("wget", [.. options, url], token);

        Assert.That(result.ExitCode, Is.Zero, result.Error + result.Output);
        Assert.That(
            result.Output,
            Does.StartWith("GET /headers HTTP/1.1\r\n").And.Contain(
                $"Host: {OriginByName["http://".Length..]}\r\n").And.Not.Contain("hunter2"));
        Assert.That(Proxy.Log.Entries.Select(static entry => entry.Message), Has.None.Contains("hunter2"));
    }
}
