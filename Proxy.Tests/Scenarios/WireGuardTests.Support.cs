using System.Globalization;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

public sealed partial class WireGuardTests
{
    private static string Url(string host, string path) =>
        string.Create(CultureInfo.InvariantCulture, $"http://{host}:{WireGuardLab.Port}{path}");

    /// <summary>curl on the daemon's host; fails the test unless it succeeds. Gives what it printed.</summary>
    private Task<string> CurlAsync(CancellationToken token, params string[] arguments) =>
        _lab.Host.RunAsync(token, ["curl", "--disable", "--silent", "--show-error", "--max-time", "60", .. arguments]);

    private Task<DaemonUnderTest> StartDaemonAsync(string workers, CancellationToken token) => DaemonUnderTest.StartAsync(
        string.Concat(
            ((string[])["round_robin", "random", "failover", "sticky", "least_connections", "power_of_two", "fastest"])
                .Select(static mode => $"[Listener:{mode}]\nAddress = 127.0.0.1:0\nMode = {mode}\n\n"))
        + $"""
        [Connect]
        Timeout = 20s

        [Health]
        Canary = {_lab.Canary}
        CheckInterval = 1s
        ProbeTimeout = 10s
        RecoveryBackoff = 500ms, 1s
        SlowStart = off

        [Balancing]
        PassOver = off

        """ + workers,
        token,
        under: _lab.Host.Under);

    private async Task AssertNothingElseLeftAsync(CancellationToken token)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(await _lab.CountAsync("dns", token), Is.Zero, "packets to port 53, on any interface");
            Assert.That(await _lab.CountAsync("direct", token), Is.Zero, "packets on the default route");
            Assert.That(await _lab.CountAsync("stray", token), Is.Zero, "packets elsewhere than on the links");
        }
    }

    private int Count(Predicate<string> isWanted) => _daemon.Lines.Count(line => isWanted(line));

    private static Predicate<string> Again(int worker) =>
        line => line.Contains($"Worker worker-{worker:00} is healthy again", StringComparison.Ordinal);

    private static Predicate<string> Dead(int worker) => line =>
        line.Contains($"Worker worker-{worker:00}: ", StringComparison.Ordinal) && line.Contains(" -> dead ", StringComparison.Ordinal);

    /// <summary>True when the last word about every worker is that it is healthy.</summary>
    private static bool Healthy(IReadOnlyList<string> lines) => Enumerable.Range(1, WireGuardLab.Workers).All(i =>
        lines.LastOrDefault(
            line =>
                line.Contains($"Worker worker-{i:00}", StringComparison.Ordinal)
                    && (line.Contains("->", StringComparison.Ordinal) || line.Contains("healthy again", StringComparison.Ordinal)))
            is not { } last || last.Contains("healthy again", StringComparison.Ordinal));

    /// <summary>Loads the page with a fresh profile and returns its document after the load event.</summary>
    private async Task<ClientResult> DumpAsync(string url, CancellationToken token)
    {
        string chromium = ClientProcess.Require("chromium"), profile = Directory.CreateTempSubdirectory("tbw").FullName;
        try
        {
            return await ClientProcess.RunAsync(
                _lab.Host.Under[0],
                [
                    .. _lab.Host.Under[1..], chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions",
                    $"--user-data-dir={profile}",
                    $"--proxy-server={Proxy}", "--proxy-bypass-list=<-loopback>",
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--dump-dom", url,
                ],
                token,
                new Dictionary<string, string> { ["HOME"] = profile });
        }
        finally
        {
            // Its helpers may still write into the profile for a moment after it has ended.
            for (int tries = 0; Directory.Exists(profile); tries++)
            {
                try
                {
                    Directory.Delete(profile, recursive: true);
                }
                catch (IOException) when (tries < 20)
                {
                    await Task.Delay(100, CancellationToken.None);
                }
            }
        }
    }
}
