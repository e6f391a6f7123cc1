using System.Text.Json;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// What <c>torbalancer env --for PROGRAM</c> prints, given to the real program: it asks for a name that only exits can look up, so what
/// arrives went through the proxy.
/// </summary>
public sealed class EnvProgramsTests : ScenarioFixture
{
    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("tbe").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [TestCase("http"), TestCase("socks5"), CancelAfter(60_000)]
    public async Task Git(string protocols, CancellationToken token)
    {
        await ShellAsync("git", protocols, $"git ls-remote {WebByName}/env/git-{protocols}.git", token);
        Arrived($"/env/git-{protocols}.git/info/refs");
    }

    [TestCase("http"), TestCase("socks5"), CancelAfter(60_000)]
    public async Task Ssh(string protocols, CancellationToken token)
    {
        SshServer.RequireNetcat();
        await using var server = await SshServer.StartAsync(Network, token);
        string[] options =
        [
            "-F", "/dev/null", "-T", "-p", Text(server.Port), "-i", server.UserKey, "-l", Environment.UserName, "-o", "BatchMode=yes", "-o",
            "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", $"UserKnownHostsFile={server.KnownHosts}",
            TestNetwork.OriginName, "echo", "it", "works",
        ];

        var result = await ShellAsync("ssh", protocols, $"ssh {string.Join(' ', options)}", token);

        Assert.That(result.Output, Is.EqualTo("it works\n"), result.Error);
    }

    [Test, CancelAfter(60_000)]
    public async Task Pip(CancellationToken token)
    {
        ClientProcess.Require("pip3");
        await ShellAsync(
            "pip", "http",
            $"pip3 --isolated --version >/dev/null; pip3 download -q --retries 0 --no-cache-dir --trusted-host {WebOrigin.Name} "
                + $"--index-url {WebByName}/env/pip some-package", token);
        Arrived("/env/pip/some-package/");
    }

    [Test, CancelAfter(60_000)]
    public async Task Npm(CancellationToken token)
    {
        ClientProcess.Require("npm");
        await ShellAsync("npm", "http", $"npm view --fetch-retries=0 --registry={WebByName}/env/npm/ some-package", token);
        Arrived("/env/npm/some-package");
    }

    [TestCase("http"), TestCase("socks5"), CancelAfter(60_000)]
    public async Task Go(string protocols, CancellationToken token)
    {
        ClientProcess.Require("go");
        await ShellAsync(
            "go", protocols,
            $"export GOPROXY={WebByName}/env/go-{protocols} GONOSUMDB=* GOFLAGS=-mod=mod; go mod init x; go get example.com/some@v1.0.0",
            token);
        Arrived($"/env/go-{protocols}/example.com/some/@v/v1.0.0.info");
    }

    [TestCase("http"), TestCase("socks5"), CancelAfter(60_000)]
    public async Task Dotnet(string protocols, CancellationToken token)
    {
        await File.WriteAllTextAsync(
            Path.Combine(_directory, "NuGet.config"),
            $"<configuration><packageSources><clear/><add key=\"x\" value=\"{WebByName}/env/dotnet-{protocols}/index.json\" "
                + "protocolVersion=\"3\" allowInsecureConnections=\"true\"/></packageSources></configuration>", token);
        await ShellAsync("dotnet", protocols, "dotnet package search some-package --format json", token);
        Arrived($"/env/dotnet-{protocols}/index.json");
    }

    /// <summary>curl, git and others look names up themselves with socks5://.</summary>
    [TestCase("go"), TestCase("dotnet"), CancelAfter(60_000)]
    public async Task Shell_is_left_without_a_proxy_that_makes_others_resolve(string program, CancellationToken token)
    {
        var shell = await ShellAsync(program, "socks5", "env", token);

        Assert.That(shell.Output, Does.Contain("HOME=").And.Not.Match("(?im)^[a-z_]*proxy=socks5://"));
    }

    [TestCase("http"), TestCase("socks5"), CancelAfter(60_000)]
    public async Task Chromium(string protocols, CancellationToken token)
    {
        ClientProcess.Require("chromium");
        await ShellAsync(
            "chromium", protocols,
            $"chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
                + $"--disable-dev-shm-usage --user-data-dir={_directory}/profile --dump-dom {WebByName}/env/chromium-{protocols}", token);
        Arrived($"/env/chromium-{protocols}");
    }

    [TestCase("http"), TestCase("socks5"), CancelAfter(60_000)]
    public async Task Apt(string protocols, CancellationToken token)
    {
        ClientProcess.Require("apt-get");
        string conf = Path.Combine(_directory, "apt.conf");
        await File.WriteAllTextAsync(conf, (await EnvAsync("apt", protocols, token)).Output, token);
        await File.WriteAllTextAsync(
            Path.Combine(_directory, "sources.list"), $"deb [trusted=yes] {WebByName}/env/apt-{protocols} stable main\n", token);
        Directory.CreateDirectory(Path.Combine(_directory, "lists", "partial"));
        Directory.CreateDirectory(Path.Combine(_directory, "cache"));

        await ClientProcess.RunAsync(
            "apt-get",
            [
                "update", "-o", $"Dir::Etc::SourceList={_directory}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null", "-o",
                $"Dir::State::Lists={_directory}/lists", "-o", $"Dir::Cache={_directory}/cache", "-o", "APT::Sandbox::User=", "-o",
                "Acquire::Retries=0",
            ],
            token, new Dictionary<string, string> { ["APT_CONFIG"] = conf });

        Arrived($"/env/apt-{protocols}/dists/stable/InRelease");
    }

    [Test, CancelAfter(60_000)]
    public async Task Docker_gets_the_keys_of_its_file(CancellationToken token)
    {
        using var file = JsonDocument.Parse((await EnvAsync("docker", "http", token)).Output);

        var proxies = file.RootElement.GetProperty("proxies");
        foreach (string key in (string[])["http-proxy", "https-proxy"])
            Assert.That(proxies.GetProperty(key).GetString(), Is.EqualTo($"http://{Address}"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Docker_without_http_says_what_is_missing(CancellationToken token)
    {
        var result = await EnvAsync("docker", "socks5", token);

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That(result.Error, Does.Contain("docker needs an HTTP proxy").And.Contain("[Listener:main] Protocols"));
    }

    private void Arrived(string path) =>
        Assert.That(Web.Requests, Has.Some.EqualTo($"{WebOrigin.Name}:{Web.Port}{path}"), string.Join('\n', Web.Requests));

    /// <summary>A shell that has taken over what was printed runs a command.</summary>
    private async Task<ClientResult> ShellAsync(string program, string protocols, string command, CancellationToken token)
    {
        var lines = await EnvAsync(program, protocols, token);
        Assert.That(lines.ExitCode, Is.Zero, lines.Error);
        var environment = new Dictionary<string, string> { ["HOME"] = _directory, ["LINES"] = lines.Output };
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { } root)
            environment["DOTNET_ROOT"] = root;
        return await ClientProcess.RunAsync("bash", ["--norc", "-c", $"eval \"$LINES\"\n{command}"], token, environment, _directory);
    }

    private async Task<ClientResult> EnvAsync(string program, string protocols, CancellationToken token)
    {
        string file = Path.Combine(_directory, "t.conf");
        await File.WriteAllTextAsync(file, $"[Listener:main]\nAddress = {Address}\nProtocols = {protocols}\n", token);
        return await ClientProcess.RunAsync(ProgramRun.Daemon, ["env", "--for", program, "--config", file], token);
    }
}
