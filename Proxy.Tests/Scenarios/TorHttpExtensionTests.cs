using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Tor's extensions of HTTP CONNECT (spec.torproject.org/http-connect), with curl in front and real tor behind.</summary>
public sealed class TorHttpExtensionTests : ScenarioFixture
{
    private const string Worker = "worker-01";

    [Test, CancelAfter(60_000)]
    public async Task Isolation_fields_are_part_of_who_the_client_is(CancellationToken token)
    {
        await using var proxy = await StartWatchedAsync();
        await using var watch = await StreamWatch.StartAsync(Network.Node(Worker), token);
        string? none = await PasswordAsync(proxy, watch, token);
        string? one = await PasswordAsync(proxy, watch, token, "Tor-Stream-Isolation: one");
        string? oneAgain = await PasswordAsync(proxy, watch, token, "tor-stream-isolation:   one ");
        string? two = await PasswordAsync(proxy, watch, token, "Tor-Stream-Isolation: two");
        string? legacy = await PasswordAsync(proxy, watch, token, "X-Tor-Stream-Isolation: one");
        string? both = await PasswordAsync(proxy, watch, token, "X-Tor-Stream-Isolation: one", "Tor-Stream-Isolation: one");
        string? repeated = await PasswordAsync(proxy, watch, token, "Tor-Stream-Isolation: one", "Tor-Stream-Isolation: two");
        string? basic = await PasswordAsync(proxy, watch, token, "Proxy-Authorization: Basic " + Base64("tor-iso:one"));
        string? otherBasic = await PasswordAsync(proxy, watch, token, "Proxy-Authorization: Basic " + Base64("tor-iso:two"));
        Assert.That(new[] { none, one, two, legacy, both, basic, otherBasic }, Is.Unique);
        Assert.That(oneAgain, Is.EqualTo(one));
        Assert.That(repeated, Is.EqualTo(one), "a second field of the same name is ignored");
    }

    [Test, CancelAfter(60_000)]
    public async Task Isolation_fields_hold_for_absolute_form_and_travel_no_further(CancellationToken token)
    {
        string[] arguments =
        [
            "--proxy", $"http://{Address}", "-H", "Tor-Stream-Isolation: one", "-H", "X-Tor-Stream-Isolation: two",
            "-H", "Tor-Family-Preference: ipv4-only", "-H", "TorBalancer-Exit: ?1", OriginByName + "/headers",
        ];
        var result = await ClientProcess.CurlAsync(token, arguments);
        Assert.That(
            result.Output, Does.StartWith("GET /headers HTTP/1.1").And.Not.Contain("tor-").IgnoreCase.And.Not.Contain("TorBalancer"));

        // Two identities on one connection of the client's are two streams.
        await using var proxy = await StartWatchedAsync();
        await using var watch = await StreamWatch.StartAsync(Network.Node(Worker), token);
        await ClientProcess.CurlAsync(
            token, "--proxy", $"http://{proxy.Address}", "-H", "Tor-Stream-Isolation: one", OriginByName + "/exit", "--next", "--proxy",
            $"http://{proxy.Address}", "-H", "Tor-Stream-Isolation: two", OriginByName + "/exit");
        string target = $"{TestNetwork.OriginName}:{Network.OriginPort}";
        var first = await watch.NextAsync(target, token);
        var second = await watch.NextAsync(target, token);
        Assert.That(second.Password, Is.Not.EqualTo(first.Password));
    }

    [Test, CancelAfter(60_000)]
    public async Task OPTIONS_to_the_proxy_says_what_it_can_and_the_connection_goes_on(CancellationToken token)
    {
        var result = await ClientProcess.CurlAsync(
            token, "-v", "-i", "-X", "OPTIONS", "--request-target", "*", $"http://{Address}/", "--next", "-v", "--request-target",
            OriginByName + "/exit", $"http://{Address}/");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(
            result.Output,
            Does.StartWith("HTTP/1.1 200 OK\r\n").And.Contain("Allow: CONNECT, OPTIONS")
                .And.Contain("Tor-Capabilities: Tor-Stream-Isolation X-Tor-Stream-Isolation\r\n"));
        Assert.That(ExitNames.Any(result.Output.EndsWith), result.Output);
        Assert.That(result.Error, Does.Contain("Re-using existing connection"));
    }

    [TestCase("OPTIONS * HTTP/1.1\r\nHost: rebound.example\r\n\r\n", "HTTP/1.1 400 ")]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 ")]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "HTTP/1.1 200 ")]
    [TestCase("OPTIONS http://h/ HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n", "HTTP/1.1 200 ")]
    [TestCase("TRACE http://h/ HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n", "HTTP/1.1 501 ")]
    [TestCase("CONNECT h:80 HTTP/1.1\r\nTor-RPC-Target: abc\r\n\r\n", "HTTP/1.1 400 ")]
    [CancelAfter(60_000)]
    public async Task Who_asks_for_what_the_proxy_is_gets(string request, string answer, CancellationToken token)
    {
        await using var stream = await Proxy.ConnectAsync();
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(request), token);
        byte[] head = new byte[answer.Length];
        await stream.ReadExactlyAsync(head, token);
        Assert.That(System.Text.Encoding.ASCII.GetString(head), Is.EqualTo(answer));
    }

    [Test, CancelAfter(60_000)]
    public async Task Failures_say_Tor_Request_Failed_beside_Proxy_Status(CancellationToken token)
    {
        var result = await ClientProcess.CurlAsync(token, "-i", "--proxytunnel", "--proxy", $"http://{Address}", "http://nx.test/");
        Assert.That(
            result.Output,
            Does.Contain("Proxy-Status: torbalancer; error=dns_error").And.Contain(
                "Tor-Request-Failed: end/RESOLVEFAILED torbalancer/host_unreachable\r\n"));
    }

    [Test, CancelAfter(60_000)]
    public async Task A_user_that_only_isolates_is_none_where_one_is_required(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Required;
            options.Listeners[0].Users["tor"] = "known";
        });
        async Task<string> AnswerAsync(string user)
        {
            var result = await ClientProcess.CurlAsync(
                token, "-i", "--proxytunnel", "--proxy", $"http://{user}@{proxy.Address}", OriginByName + "/exit");
            return result.Output;
        }

        Assert.That(await AnswerAsync("tor-iso:x"), Does.StartWith("HTTP/1.1 407 ").And.Contain("auth_required"));
        Assert.That(await AnswerAsync("tor:x"), Does.StartWith("HTTP/1.1 407 ").And.Contain("auth_failed"));
        Assert.That(await AnswerAsync("tor:known"), Does.StartWith("HTTP/1.1 200 "));
    }

    [Test, CancelAfter(60_000)]
    public async Task The_exit_is_told_to_who_asks_and_may_know(CancellationToken token)
    {
        await using var proxy = await StartWatchedAsync(static options => options.Listeners[0].TellExit = true);
        proxy.Relays.Start();
        while (proxy.Relays.FactsOf(Worker) is not { IsConnected: true })
            await Task.Delay(20, token);

        string[] asking = ["-i", "--proxytunnel", "--proxy-header", "TorBalancer-Exit: ?1"];
        for (int i = 0; i < 5; i++)
        {
            // On a busy machine tor's word may come after the time that a client is made to wait for it.
            string output;
            do
                output = await OutputAsync([.. asking, "--proxy", $"http://u{i}@{proxy.Address}", OriginByName + "/exit"]);
            while (output.Contains("TorBalancer-Exit: unknown", StringComparison.Ordinal));
            string name = ExitNames.Single(output.EndsWith).Trim();
            Assert.That(output, Does.Contain($"\r\nTorBalancer-Exit: ${Network.Node(name).Fingerprint}~{name}\r\n"));
        }

        Assert.That(
            await OutputAsync([.. asking, "--proxy", $"http://{proxy.Address}", OriginByOnion + "/"]),
            Does.Contain("\r\nTorBalancer-Exit: none\r\n"));
        Assert.That(
            await OutputAsync(["-i", "--proxytunnel", "--proxy", $"http://{proxy.Address}", OriginByName + "/exit"]),
            Does.StartWith("HTTP/1.1 200 Connection established\r\n\r\n"));
        Assert.That(
            await OutputAsync([.. asking, "--proxy", $"http://{Address}", OriginByName + "/exit"]),
            Does.StartWith("HTTP/1.1 200 Connection established\r\n\r\n"), "off by default");

        async Task<string> OutputAsync(string[] arguments) => (await ClientProcess.CurlAsync(token, arguments)).Output;
    }

    private static string Base64(string text) => Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(text));

    private Task<ProxyUnderTest> StartWatchedAsync(Action<TorBalancerOptions>? configure = null)
    {
        var node = Network.Node(Worker);
        var model = new WorkerModel(
            Worker, new IPEndPoint(IPAddress.Loopback, node.SocksPort), ControlEndPoint: new UnixDomainSocketEndPoint(node.ControlPath))
        {
            ControlCookie = node.CookiePath,
        };
        return ProxyUnderTest.StartAsync([model], options =>
        {
            options.Route.Rules.Add(TestNetworkConf.Route);
            configure?.Invoke(options);
        });
    }

    /// <summary>The token under which a CONNECT with these fields goes to tor.</summary>
    private async Task<string?> PasswordAsync(ProxyUnderTest proxy, StreamWatch watch, CancellationToken token, params string[] fields)
    {
        string[] arguments =
        [
            "--proxytunnel", "--proxy", $"http://{proxy.Address}",
            .. fields.SelectMany(static field => (string[])["--proxy-header", field]),
            OriginByName + "/exit",
        ];
        var result = await ClientProcess.CurlAsync(token, arguments);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return (await watch.NextAsync($"{TestNetwork.OriginName}:{Network.OriginPort}", token)).Password;
    }
}
