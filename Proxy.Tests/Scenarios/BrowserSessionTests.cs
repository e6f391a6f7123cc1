using System.Net;
using System.Net.Sockets;
using Microsoft.Playwright;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// Sessions in browsers: a port for each, over SOCKS and HTTP, and user names that they send when they are asked. Chromium and Firefox of
/// Debian, in front of real tors.
/// </summary>
[CancelAfter(180_000)]
public sealed class BrowserSessionTests : ScenarioFixture
{
    private const int First = 20000, Last = 20009;

    private const string PageText = "TorBalancer test origin";

    private readonly IPAddress _address = FreePort.OwnAddress();

    [TestCase("socks5")]
    [TestCase("http")]
    public async Task Chromium_has_the_worker_and_the_circuit_of_its_port(string scheme, CancellationToken token)
    {
        await using var proxy = await PortsAsync();
        int[] ports = await PortsOfTwoWorkersAsync(proxy, token);
        foreach (int port in ports)
        {
            var result = await ChromiumTests.DumpAsync(
                [$"--proxy-server={scheme}://{_address}:{Text(port)}", "--proxy-bypass-list=<-loopback>"], OriginByName + "/", token,
                at: $"{_address}");
            Assert.That(result.Output, Does.Contain(PageText), result.Error);
        }

        AssertUsed(proxy, ports);
    }

    [Test]
    public async Task Chromium_takes_the_port_of_a_name_from_the_file(CancellationToken token)
    {
        await using var proxy = await PortsAsync();
        var result = await ChromiumTests.DumpAsync(
            [$"--proxy-pac-url=http://{_address}:{Text(First)}/proxy.pac?session=20007"], OriginByName + "/", token,
            at: $"{_address}");

        Assert.That(result.Output, Does.Contain(PageText), result.Error);
        Assert.That(proxy.Get<SessionTable>().List().Select(static one => one.Port), Is.EqualTo(new int?[] { 20007 }));
    }

    [Test]
    public async Task Firefox_has_the_worker_and_the_circuit_of_its_port(CancellationToken token)
    {
        await using var proxy = await PortsAsync();
        int[] ports = await PortsOfTwoWorkersAsync(proxy, token);
        foreach (int port in ports)
        {
            await using var firefox = await FirefoxUnderTest.StartAsync(
                [
                    "user_pref(\"network.proxy.type\", 1);", $"user_pref(\"network.proxy.socks\", \"{_address}\");",
                    $"user_pref(\"network.proxy.socks_port\", {Text(port)});", "user_pref(\"network.proxy.socks_version\", 5);",
                    "user_pref(\"network.proxy.socks_remote_dns\", true);", "user_pref(\"network.proxy.no_proxies_on\", \"\");",
                ],
                null, token);
            Assert.That(await firefox.ReadAsync(OriginByName + "/", token), Does.Contain(PageText));
            Assert.That(firefox.Challenges, Is.Zero);
        }

        AssertUsed(proxy, ports);
    }

    [Test]
    public async Task Chromium_sends_its_user_name_when_it_is_asked_and_each_name_is_a_session(CancellationToken token)
    {
        string chromium = ClientProcess.Require("chromium");
        await using var proxy = await ChallengeAsync();
        using var playwright = await Playwright.CreateAsync();
        foreach (string user in (string[])["ann", "session-ben"])
        {
            await using var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
            {
                ExecutablePath = chromium,
                Args =
                [
                    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                ],
                Proxy = new Proxy { Server = $"http://{proxy.Address}", Username = user, Password = "", Bypass = "<-loopback>" },
            });
            var page = await browser.NewPageAsync();
            await page.GotoAsync(OriginByName + "/").WaitAsync(token);
            Assert.That(await page.ContentAsync(), Does.Contain(PageText));
        }

        AssertSessions(proxy, "ann", "ben");
    }

    [Test]
    public async Task Firefox_sends_its_user_name_when_it_is_asked_and_it_is_a_session(CancellationToken token)
    {
        await using var proxy = await ChallengeAsync();
        string port = Text(proxy.Address.Port);
        await using var firefox = await FirefoxUnderTest.StartAsync(
            [
                "user_pref(\"network.proxy.type\", 1);", "user_pref(\"network.proxy.http\", \"127.0.0.1\");",
                $"user_pref(\"network.proxy.http_port\", {port});", "user_pref(\"network.proxy.ssl\", \"127.0.0.1\");",
                $"user_pref(\"network.proxy.ssl_port\", {port});", "user_pref(\"network.proxy.no_proxies_on\", \"\");",
            ],
            ("ann", ""), token);

        Assert.That(await firefox.ReadAsync(OriginByName + "/", token), Does.Contain(PageText));
        Assert.That(firefox.Challenges, Is.Positive, "it was asked, and answered");
        AssertSessions(proxy, "ann");
    }

    /// <summary>Playwright has no user name for SOCKS: the port is what it can be told.</summary>
    [Test]
    public async Task Playwright_with_SOCKS_has_the_worker_and_the_circuit_of_its_port(CancellationToken token)
    {
        string chromium = ClientProcess.Require("chromium");
        await using var proxy = await PortsAsync();
        int[] ports = await PortsOfTwoWorkersAsync(proxy, token);
        using var playwright = await Playwright.CreateAsync();
        foreach (int port in ports)
        {
            await using var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
            {
                ExecutablePath = chromium,
                Args =
                [
                    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                    $"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {_address}",
                ],
                Proxy = new Proxy { Server = $"socks5://{_address}:{Text(port)}", Bypass = "<-loopback>" },
            });
            var page = await browser.NewPageAsync();
            await page.GotoAsync(OriginByName + "/").WaitAsync(token);
            Assert.That(await page.ContentAsync(), Does.Contain(PageText));
        }

        AssertUsed(proxy, ports);
    }

    /// <summary>
    /// Java's own settings for a proxy, which hold for whatever opens a socket: here the program that shows a server's certificate, the one
    /// of its runtime that connects anywhere. It leaves the name to the proxy.
    /// </summary>
    [Test]
    public async Task Java_has_a_session_by_its_port(CancellationToken token)
    {
        string keytool = ClientProcess.Require("keytool");
        await using var proxy = await PortsAsync();
        int[] ports = [First + 3, First + 4];
        foreach (int port in ports)
        {
            await ConnectAsync(port);
            await ConnectAsync(port);
        }

        var sessions = proxy.Get<SessionTable>().List();
        Assert.That(sessions.Select(static one => one.Port!.Value).Order(), Is.EqualTo(ports), "one for each port");
        Assert.That(sessions.Select(static one => one.Uses), Has.All.GreaterThan(1));

        async Task ConnectAsync(int port)
        {
            var shown = await ClientProcess.RunAsync(
                keytool,
                [
                    $"-J-DsocksProxyHost={_address}", $"-J-DsocksProxyPort={Text(port)}", "-printcert", "-sslserver",
                    $"{WebOrigin.Name}:{Text(Web.TlsPort)}",
                ],
                token);
            Assert.That(shown.Output, Does.Contain("CN=TorBalancer test origin"), shown.Error);
        }
    }

    private static void AssertSessions(ProxyUnderTest proxy, params string[] names) => Assert.That(
        proxy.Get<SessionTable>().List().Select(static one => one.Name).Order(), Is.EqualTo(names));

    /// <summary>Each of them has been used again, and none besides; each by another worker.</summary>
    private static void AssertUsed(ProxyUnderTest proxy, int[] ports)
    {
        var used = proxy.Get<SessionTable>().List().Where(static one => one.Uses > 1).ToArray();
        Assert.That(used.Select(static one => one.Port!.Value).Order(), Is.EqualTo(ports.Order()));
        Assert.That(used.Select(static one => one.WorkerId), Is.Unique);
    }

    private Task<ProxyUnderTest> PortsAsync() => StartProxyAsync(options =>
    {
        options.Listeners.Clear();
        options.Listeners.Add(new ListenerOptions
        {
            Name = "ports",
            Address = new IPEndPoint(_address, First),
            LastPort = Last,
            Session = ListenerSession.Port,
        });
    });

    private Task<ProxyUnderTest> ChallengeAsync() =>
        StartProxyAsync(static options => options.Listeners[0].Auth = ListenerAuth.Challenge);

    /// <summary>Two ports whose sessions different workers carry, after one connection by each port.</summary>
    private async Task<int[]> PortsOfTwoWorkersAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        for (int port = First; port <= Last; port++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(_address, port), token);
            await using var stream = new NetworkStream(socket);
            Assert.That((await SocksClient.RequestAsync(stream, "127.0.0.1", Network.OriginPort, token))[1], Is.Zero);
        }

        var byWorker = proxy.Get<SessionTable>().List().GroupBy(static one => one.WorkerId).ToArray();
        Assert.That(byWorker, Has.Length.GreaterThan(1));
        return [.. byWorker.Take(2).Select(static one => one.First().Port!.Value)];
    }
}
