using System.Security.Cryptography;
using TorBalancer.Processes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Programs that people run on such hosts, as they come from Debian.</summary>
public sealed partial class TransparentTests
{
    // Reported by the page itself, before it is loaded.
    private const string PageForBrowsers = """
        <!doctype html><title>behind a gateway</title><script>
        const report = new XMLHttpRequest();
        report.open('GET', '/seen?' + encodeURIComponent(document.title + '|' + navigator.userAgent), false);
        report.send();
        </script>
        """;

    [Test, CancelAfter(90_000)]
    public async Task Apt_updates_and_downloads_a_package(CancellationToken token)
    {
        string apt = ClientProcess.Require("apt-get"), served = Made("archive"), root = Made("apt");
        ClientProcess.Require("dpkg-deb");
        string package = Path.Combine(Made("archive", "pool"), "tb-hello_1.0_all.deb");
        string control = Path.Combine(Made("package", "DEBIAN"), "control");
        await File.WriteAllTextAsync(
            control, "Package: tb-hello\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@a.test>\nDescription: a package\n", token);
        byte[] content = new byte[200_000];
        new Random(3).NextBytes(content);
        await File.WriteAllBytesAsync(Path.Combine(Made("package", "usr"), "data"), content, token);
        await _lab.WorldHost.RunAsync(token, "dpkg-deb", "--root-owner-group", "-b", Made("package"), package);
        await WriteIndexAsync(served, package, token);
        await using var server = await ServeAsync(served, 8089, token);

        // Its own state, cache and settings; none of this machine's.
        string settings = Path.Combine(root, "apt.conf");
        await File.WriteAllTextAsync(settings, $"""
            Dir "{root}/";
            Dir::State::status "{root}/status";
            Dir::Bin::methods "/usr/lib/apt/methods";
            APT::Sandbox::User "root";
            Acquire::Retries "0";

            """, token);
        await File.WriteAllTextAsync(Path.Combine(root, "status"), "", token);
        foreach (
            string folder in (string[])[
                "etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "var/lib/apt/lists/partial",
                "var/cache/apt/archives/partial"])
        {
            Made("apt", folder);
        }

        await File.WriteAllTextAsync(
            Path.Combine(Made("apt", "etc/apt"), "sources.list"), "deb [trusted=yes] http://origin.test:8089 ./\n", token);
        await AptAsync("update");
        await AptAsync("download", "tb-hello");

        Assert.That(
            await File.ReadAllBytesAsync(Path.Combine(root, Path.GetFileName(package)), token),
            Is.EqualTo(await File.ReadAllBytesAsync(package, token)));
        Assert.That(server.ToString(), Does.Contain("GET /./pool/tb-hello_1.0_all.deb").Or.Contain("GET /pool/tb-hello_1.0_all.deb"));

        async Task AptAsync(params string[] arguments)
        {
            var result = await ClientProcess.RunAsync(
                _lab.Lan[1].Under[0], [.. _lab.Lan[1].Under[1..], apt, "-q", .. arguments], token,
                new Dictionary<string, string> { ["APT_CONFIG"] = settings, ["LC_ALL"] = "C" }, root);
            Assert.That(result.ExitCode, Is.Zero, $"{result.Output}{result.Error}{server}");
            Assert.That(result.Error, Does.Not.Contain("Failed to fetch"));
        }
    }

    /// <summary>A profile that nobody has seen before, and no setting in it.</summary>
    [TestCase("chromium", "HeadlessChrome")]
    [TestCase("firefox-esr", "Firefox")]
    [CancelAfter(120_000)]
    public async Task Browser_with_nothing_configured_loads_a_page_and_runs_it(string program, string agent, CancellationToken token)
    {
        string browser = ClientProcess.Require(program), profile = Made("profile-" + program), served = Made("page-" + program);
        await File.WriteAllTextAsync(Path.Combine(served, "index.html"), PageForBrowsers, token);
        int port = program == "chromium" ? 8090 : 8091;
        await using var server = await ServeAsync(served, port, token);
        string url = Text($"http://{program}.test:{port}/");
        string[] arguments = program == "chromium"
            ? ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", $"--user-data-dir={profile}", "--dump-dom", url]
            : ["--headless", "--no-remote", "--profile", profile, "--screenshot", Path.Combine(profile, "page.png"), url];
        var result = await ClientProcess.RunAsync(
            _lab.Lan[0].Under[0], [.. _lab.Lan[0].Under[1..], browser, .. arguments], token,
            new Dictionary<string, string> { ["HOME"] = profile, ["MOZ_CRASHREPORTER_DISABLE"] = "1" });

        string seen = await server.WaitForLineAsync("GET /seen?behind%20a%20gateway", token);
        Assert.That(seen, Does.Contain(agent), result.Error);
    }

    /// <summary>Where it does not insist it goes on over TCP. Packets to QUIC's port are among those of every other count, too.</summary>
    [Test, CancelAfter(90_000)]
    public async Task Browser_that_insists_on_QUIC_sends_it_in_vain(CancellationToken token)
    {
        string browser = ClientProcess.Require("chromium"), profile = Made("profile-quic");
        long before = await _lab.SentAsync("quic", token);
        await using var chromium = ForegroundProcess.Start(
            [
                .. _lab.Lan[0].Under, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                $"--user-data-dir={profile}", "--origin-to-force-quic-on=198.51.100.1:443", "--dump-dom", "https://198.51.100.1/",
            ],
            new Dictionary<string, string> { ["HOME"] = profile });
        while (await _lab.SentAsync("quic", token) < before + 2)
            await Task.Delay(100, token);

        Assert.That(await _lab.PassedAsync(token), Is.Zero);
    }

    private string Made(params string[] path) => System.IO.Directory.CreateDirectory(Path.Combine([_lab.Directory, .. path])).FullName;

    /// <summary>A web server beyond the exits; its lines are the requests.</summary>
    private async Task<ForegroundProcess> ServeAsync(string directory, int port, CancellationToken token)
    {
        var server = ForegroundProcess.Start(
            [.. _lab.WorldHost.Under, Executables.Find("python3")!, "-u", "-m", "http.server", $"{port}", "--directory", directory]);
        await server.WaitForLineAsync("Serving HTTP", token);
        return server;
    }

    /// <summary>Packages and Release of an archive of one package (DebianRepository/Format).</summary>
    private static async Task WriteIndexAsync(string archive, string package, CancellationToken token)
    {
        byte[] file = await File.ReadAllBytesAsync(package, token);
        string packages = Text($"""
            Package: tb-hello
            Version: 1.0
            Architecture: all
            Maintainer: A <a@a.test>
            Description: a package
            Filename: ./pool/{Path.GetFileName(package)}
            Size: {file.Length}
            SHA256: {Convert.ToHexStringLower(SHA256.HashData(file))}

            """);
        string index = Path.Combine(archive, "Packages");
        await File.WriteAllTextAsync(index, packages, token);
        byte[] bytes = await File.ReadAllBytesAsync(index, token);
        string date = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000).ToString("r");
        await File.WriteAllTextAsync(Path.Combine(archive, "Release"), Text($"""
            Date: {date}
            SHA256:
             {Convert.ToHexStringLower(SHA256.HashData(bytes))} {bytes.Length} Packages

            """), token);
    }
}
