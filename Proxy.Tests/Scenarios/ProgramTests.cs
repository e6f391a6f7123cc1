using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Programs that are put behind the proxy by a wrapper, and tor's own resolver.</summary>
public sealed class ProgramTests : ScenarioFixture
{
    private string _directory = "";

    [OneTimeSetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("tbp").FullName;

    [OneTimeTearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [TestCase(false)]
    [TestCase(true)]
    [CancelAfter(60_000)]
    public async Task Torsocks_curl_to_the_onion_service(bool isolate, CancellationToken token)
    {
        int before = Proxy.Log.OfEvent("access").Count();
        var result = await TorsocksAsync(Proxy, isolate, OriginByOnion + "/exit", token);
        Assert.That(result.Output, Is.EqualTo("unknown\n"), result.Error);
        var entries = await Proxy.Log.WaitForConnectionsAsync(before + 1, token);
        Assert.That(AccessEntry.Field(entries[before], "target"), Is.EqualTo(Network.OnionAddress + ":80"));
    }

    /// <summary>
    /// torsocks asks for the address first (RESOLVE) and then connects to that. The names of this network lead to
    /// loopback, which torsocks never gives to a proxy; so the worker hands out addresses of its own for them, and of
    /// IPv4: torsocks gives up when it asked for one of those and gets another.
    /// </summary>
    [TestCase(false)]
    [TestCase(true)]
    [CancelAfter(60_000)]
    public async Task Torsocks_curl_resolves_a_name_and_connects_to_the_address(bool isolate, CancellationToken token)
    {
        await using var worker = await ClientTor.StartAsync(
            Network, "ExtendedErrors NoPreferIPv6Automap", token, "AutomapHostsSuffixes .test");
        var addresses = new RuleOptions { Name = "automap", Networks = { IPNetwork.Parse("10.192.0.0/10") }, Route = RuleRoute.Socks };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.Socks], options => options.Route.Rules.Add(addresses));

        var result = await TorsocksAsync(proxy, isolate, OriginByName + "/exit", token);
        Assert.That(result.Output, Is.AnyOf(ExitNames), result.Error);
        var entries = await proxy.Log.WaitForConnectionsAsync(2, token);
        Assert.That(AccessEntry.Field(entries[0], "target"), Does.StartWith(TestNetwork.OriginName + ":"));
        Assert.That(AccessEntry.Field(entries[1], "target"), Does.StartWith("10."));
    }

    [Test, CancelAfter(60_000)]
    public async Task Tor_resolve_of_a_name(CancellationToken token)
    {
        string[] addresses = [.. Enumerable.Range(1, Network.Exits.Count).Select(static exit => $"127.0.31.{exit}\n")];
        var result = await ClientProcess.RunAsync("tor-resolve", [TestNetwork.OriginName, Address], token);
        Assert.That(result.Output, Is.AnyOf(addresses), result.Error);
    }

    [Test, CancelAfter(60_000)]
    public async Task Tor_resolve_of_an_address(CancellationToken token)
    {
        // Answered by the network's own name server: nothing asks a real one.
        var result = await ClientProcess.RunAsync("tor-resolve", ["-x", "192.0.2.7", Address], token);
        Assert.That(result.Output, Is.EqualTo("192-0-2-7.reverse.test\n"), result.Error);
    }

    [Test, CancelAfter(60_000)]
    public async Task Tor_resolve_of_an_unknown_name_fails(CancellationToken token)
    {
        var result = await ClientProcess.RunAsync("tor-resolve", ["nx.test", Address], token);
        Assert.That(result.ExitCode, Is.Not.Zero);
        Assert.That(result.Output, Is.Empty);
    }

    [Test, CancelAfter(60_000)]
    public async Task Tor_resolve_over_SOCKS4(CancellationToken token)
    {
        var result = await ClientProcess.RunAsync("tor-resolve", ["-4", TestNetwork.OriginName, Address], token);
        Assert.That(result.Output, Does.StartWith("127.0.31."), result.Error);
    }

    [TestCase("socks5")]
    [TestCase("socks4")]
    [TestCase("http")]
    [CancelAfter(60_000)]
    public async Task Proxychains_curl_to_name_and_onion(string type, CancellationToken token)
    {
        string file = Path.Combine(_directory, $"proxychains-{type}.conf");
        await File.WriteAllTextAsync(
            file,
            $"strict_chain\nquiet_mode\nproxy_dns\ntcp_read_time_out 30000\ntcp_connect_time_out 30000\n[ProxyList]\n{type} 127.0.0.1 "
                + $"{Proxy.Address.Port}\n",
            token);

        foreach (string url in (string[])[OriginByName + "/exit", OriginByOnion + "/exit"])
        {
            var result = await ClientProcess.RunAsync(
                "proxychains4", ["-f", file, "curl", "--disable", "--silent", "--show-error", url], token);
            Assert.That(result.Output, Is.AnyOf([.. ExitNames, "unknown\n"]), $"{url}: {result.Error}");
        }
    }

    [TestCase("socks5h")]
    [TestCase("http")]
    [CancelAfter(120_000)]
    public async Task Git_clone(string scheme, CancellationToken token)
    {
        string work = Directory.CreateDirectory(Path.Combine(_directory, "git-" + scheme)).FullName;
        byte[] content = WebOrigin.FileBytes[..300_000];
        await GitAsync(work, token, "init", "--quiet", "--initial-branch=main", "source");
        await File.WriteAllBytesAsync(Path.Combine(work, "source", "data"), content, token);
        await GitAsync(work, token, "-C", "source", "add", "data");
        await GitAsync(work, token, "-C", "source", "-c", "user.name=t", "-c", "user.email=t@t.test", "commit", "--quiet", "-m", "data");
        await GitAsync(work, token, "clone", "--quiet", "--bare", "source", "bare.git");
        await GitAsync(work, token, "-C", "bare.git", "update-server-info");
        Web.GitDirectory = work;

        await GitAsync(work, token, "-c", $"http.proxy={scheme}://{Address}", "clone", "--quiet", WebByName + "/git/bare.git", "copy");

        Assert.That(await File.ReadAllBytesAsync(Path.Combine(work, "copy", "data"), token), Is.EqualTo(content));
        Assert.That(Web.Requests, Does.Contain($"{WebOrigin.Name}:{Web.Port}/git/bare.git/info/refs"));
    }

    private static Task<ClientResult> TorsocksAsync(ProxyUnderTest proxy, bool isolate, string url, CancellationToken token) =>
        ClientProcess.RunAsync(
        "torsocks",
        [
            .. isolate ? ["-i"] : Array.Empty<string>(), "-a", "127.0.0.1", "-P", Text(proxy.Address.Port), ClientProcess.Require("curl"),
            "--disable", "--silent", "--show-error", url,
        ],
        token);

    private async Task GitAsync(string directory, CancellationToken token, params string[] arguments)
    {
        var environment = new Dictionary<string, string>
        {
            ["HOME"] = _directory,
            ["GIT_CONFIG_NOSYSTEM"] = "1",
            ["GIT_TERMINAL_PROMPT"] = "0",
        };
        var result = await ClientProcess.RunAsync("git", arguments, token, environment, directory);
        Assert.That(result.ExitCode, Is.Zero, $"git {string.Join(' ', arguments)}: {result.Error}");
    }
}
