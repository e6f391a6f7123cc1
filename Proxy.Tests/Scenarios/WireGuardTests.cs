using System.Globalization;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// The clearnet path over WireGuard as a whole: real links, real tor, the real daemon, and counters of the kernel that show
/// that nothing takes another way.
/// </summary>
[NonParallelizable] // It makes interfaces whose names the whole machine shares.
public sealed partial class WireGuardTests
{
    private const string Name = "origin.test";

    private WireGuardLab _lab = null!;
    private DaemonUnderTest _daemon = null!;

    private string Proxy => $"http://{_daemon.Address}";

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(4));
        _lab = await WireGuardLab.StartAsync(limit.Token);
        string workers = _lab.WorkersConf.Replace("Clearnet = auto", "Clearnet = wireguard", StringComparison.Ordinal);

        // One worker's names by its SocksPort, the other's by its DNSPort.
        int second = workers.IndexOf("[Worker:worker-02]", StringComparison.Ordinal);
        workers = workers[..second] + workers[second..].Replace(";DnsPort", "DnsPort", StringComparison.Ordinal);
        _daemon = await StartDaemonAsync(workers, limit.Token);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
        if (_lab is not null)
            await _lab.DisposeAsync();
    }

    [Test, CancelAfter(120_000)]
    public async Task Curl_reaches_the_origin_over_the_links_by_name_and_by_address(CancellationToken token)
    {
        await _lab.ResetCountsAsync(token);
        foreach (
            string proxy in (string[])[
                Proxy, $"socks5h://{_daemon.Address}", $"socks5://{_daemon.Address}", $"socks4a://{_daemon.Address}"])
        {
            // socks5:// looks names up itself, so it gets an address. The name is one that no other test asks for.
            string host = proxy.StartsWith("socks5:", StringComparison.Ordinal) ? WireGuardLab.OriginAddress : "curl.test";
            for (int i = 0; i < 2; i++)
                Assert.That(await CurlAsync(token, "-x", proxy, Url(host, "/exit")), Is.EqualTo("e01\n"), proxy);
        }

        await AssertNothingElseLeftAsync(token);
        Assert.That(await _lab.CountAsync("link01", token), Is.Positive);
        Assert.That(await _lab.CountAsync("link02", token), Is.Positive);
        Assert.That(await _lab.CountAsync("names01", token), Is.Zero, "its names are resolved by the SocksPort");
        Assert.That(await _lab.CountAsync("names02", token), Is.Positive, "its names are resolved by the DNSPort");
        var notByLink = _daemon.Lines.Where(static line => line.Contains(" listener=main ", StringComparison.Ordinal)
            && !line.Contains(" route=wireguard ", StringComparison.Ordinal)
            && line.Contains("target=(", StringComparison.Ordinal)
            && !line.Contains("(onion)", StringComparison.Ordinal)
            && line.Contains("cause=ok", StringComparison.Ordinal));
        Assert.That(notByLink, Is.Empty);
    }

    [Test, CancelAfter(120_000)]
    public async Task Onion_service_and_isolated_clients_take_the_SocksPort_over_the_link(CancellationToken token)
    {
        await _lab.ResetCountsAsync(token);
        Assert.That(await CurlAsync(token, "-x", Proxy, $"http://{_lab.Network.OnionAddress}/exit"), Is.EqualTo("unknown\n"));
        Assert.That(await CurlAsync(token, "-x", Proxy, "--proxy-user", "alice:secret", Url(Name, "/exit")), Is.EqualTo("e01\n"));

        await AssertNothingElseLeftAsync(token);
        Assert.That(
            await _lab.CountAsync("link01", token) + await _lab.CountAsync("link02", token), Is.Zero, "neither goes to the TransPort");
    }

    [Test, CancelAfter(120_000)]
    public async Task Chromium_loads_pages_over_the_links(CancellationToken token)
    {
        await _lab.ResetCountsAsync(token);
        foreach (string host in (string[])[Name, WireGuardLab.OriginAddress])
        {
            var result = await DumpAsync(Url(host, "/"), token);
            Assert.That(result.Output, Does.Contain("TorBalancer test origin"), result.Error);
        }

        await AssertNothingElseLeftAsync(token);
        Assert.That(await _lab.CountAsync("link01", token) + await _lab.CountAsync("link02", token), Is.AtLeast(2));
    }

    [Test, CancelAfter(120_000)]
    public async Task Links_carry_their_share_in_each_mode(CancellationToken token)
    {
        const int requests = 20;
        foreach (var (mode, isShare) in (List<(string, Func<long, long, bool>)>)
            [
                ("round_robin", static (one, two) => one == requests / 2 && two == requests / 2),
                ("random", static (one, two) => one > 0 && two > 0),
                ("failover", static (one, two) => one == requests && two == 0),
                ("sticky", static (one, two) => one == 0 || two == 0),
                ("least_connections", static (one, two) => one > 0 && two > 0),
                ("power_of_two", static (one, two) => one > 0 && two > 0),

                // Whichever was faster until now.
                ("fastest", static (_, _) => true),
            ])
        {
            string ready = await _daemon.WaitForLineAsync(line => line.Contains($"Listener {mode} on ", StringComparison.Ordinal), token);
            await _lab.ResetCountsAsync(token);

            // A connection for each: kept ones would stay with their worker. By address, so that nothing can fail before the link.
            string codes = await CurlAsync(
                token, "-x", $"socks5h://{ready[(ready.LastIndexOf(' ') + 1)..]}", "-H", "Connection: close", "-o", "/dev/null", "-w",
                "%{http_code} ", Url(WireGuardLab.OriginAddress, $"/bytes/[1-{requests}]"));
            Assert.That(codes.Split(' ', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(requests).And.All.EqualTo("200"), mode);
            long one = await _lab.CountAsync("link01", token), two = await _lab.CountAsync("link02", token);
            Assert.That(one + two, Is.EqualTo(requests), mode);
            Assert.That(isShare(one, two), Is.True, $"{mode}: {one} and {two}");
            await AssertNothingElseLeftAsync(token);
        }
    }

    [Test, CancelAfter(180_000)]
    public async Task Links_that_are_down_fail_closed_and_come_back_by_themselves(CancellationToken token)
    {
        await _lab.ResetCountsAsync(token);
        int healthy1 = Count(Again(1)), healthy2 = Count(Again(2)), dead1 = Count(Dead(1)), dead2 = Count(Dead(2));
        await _lab.SetLinkAsync(1, up: false, token);
        for (int i = 0; i < 4; i++)
            Assert.That(await CurlAsync(token, "-x", Proxy, Url(Name, "/exit")), Is.EqualTo("e01\n"), "the other link carries it");
        await _lab.SetLinkAsync(2, up: false, token);

        // An answer within the time for connecting: --max-time is shorter than [Connect] Timeout.
        string code = await CurlAsync(token, "-x", Proxy, "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code}", Url(Name, "/exit"));
        Assert.That(code, Is.EqualTo("502").Or.EqualTo("503"));
        await _daemon.WaitForLineAsync(Dead(1), token, dead1);
        await _daemon.WaitForLineAsync(Dead(2), token, dead2);
        code = await CurlAsync(
            token, "-x", Proxy, "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code}", Url(WireGuardLab.OriginAddress, "/exit"));
        Assert.That(code, Is.EqualTo("503"));
        await AssertNothingElseLeftAsync(token);

        await _lab.SetLinkAsync(1, up: true, token);
        await _lab.SetLinkAsync(2, up: true, token);
        await _daemon.WaitForLineAsync(Again(1), token, healthy1);
        await _daemon.WaitForLineAsync(Again(2), token, healthy2);
        for (int i = 0; i < 4; i++)
            Assert.That(await CurlAsync(token, "-x", Proxy, Url(Name, "/exit")), Is.EqualTo("e01\n"));
        await AssertNothingElseLeftAsync(token);
    }

    [Test, CancelAfter(120_000)]
    public async Task Rules_send_targets_over_links_by_SOCKS_or_nowhere(CancellationToken token)
    {
        await using var daemon = await StartDaemonAsync($"""
            {_lab.WorkersConf}
            [Rule:no-address]
            Network = 198.51.100.0/24
            Route = reject

            [Rule:by-socks]
            Domain = socks.test
            Port = {WireGuardLab.Port}
            Route = socks
            """, token);
        string[] via = ["-x", $"http://{daemon.Address}", "-o", "/dev/null", "-w", "%{http_code}"];
        await _lab.ResetCountsAsync(token);

        Assert.That(await CurlAsync(token, [.. via, Url(WireGuardLab.OriginAddress, "/exit")]), Is.EqualTo("403"));
        Assert.That(
            await CurlAsync(token, [.. via, Url(WireGuardLab.OriginAddress + ".", "/exit")]), Is.EqualTo("403"),
            "with the root dot it is the same address");
        Assert.That(await CurlAsync(token, [.. via, Url("www.socks.test", "/exit")]), Is.EqualTo("200"));
        Assert.That(
            await _lab.CountAsync("link01", token) + await _lab.CountAsync("link02", token), Is.Zero, "neither went to the TransPort");
        Assert.That(await CurlAsync(token, [.. via, Url("rules.test", "/exit")]), Is.EqualTo("200"));
        Assert.That(await _lab.CountAsync("link01", token) + await _lab.CountAsync("link02", token), Is.Positive);
        await AssertNothingElseLeftAsync(token);
    }

    [Test, CancelAfter(120_000)]
    public async Task ReconnectCommand_brings_a_deleted_link_back(CancellationToken token)
    {
        string workers = _lab.WorkersConf.Replace(
            $";ReconnectCommand = systemctl restart wg-quick@{WireGuardLab.Link(1)}",
            $"ReconnectCommand = wg-quick up {WireGuardLab.Link(1)}", StringComparison.Ordinal);
        Assert.That(workers, Does.Contain("\nReconnectCommand"));
        await using var daemon = await StartDaemonAsync(workers, token);
        await _lab.ResetCountsAsync(token);

        // Not wg-quick down, which would clear up behind it: as when its program crashed.
        await _lab.Host.RunAsync(token, "ip", "link", "del", WireGuardLab.Link(1));

        await daemon.WaitForLineAsync(
            static line => line.Contains("Worker worker-01: its ReconnectCommand ended well", StringComparison.Ordinal), token);
        await daemon.WaitForLineAsync(Again(1), token);
        Assert.That(await CurlAsync(token, "-x", $"http://{daemon.Address}", Url(Name, "/exit")), Is.EqualTo("e01\n"));
        await AssertNothingElseLeftAsync(token);

        // The other daemon saw it go as well; the next test finds both as they were.
        await _daemon.WaitForLineAsync(_ => Healthy(_daemon.Lines), token);
    }

    /// <summary>What init wrote for a third worker, which the lab does not have.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Link_of_a_worker_does_not_come_up_without_its_firewall(CancellationToken token)
    {
        var (worker, files) = await _lab.SpareWorkerAsync(token);
        const string link = "wg-hub03";
        worker.PutInEtc("wireguard", Path.Combine(files, $"{link}.conf"));
        var result = await worker.TryAsync(token, "wg-quick", "up", link);
        Assert.That(
            (result.ExitCode, result.Error.Contains("torbalancer.nft", StringComparison.Ordinal)), Is.EqualTo((1, true)), result.Error);
        Assert.That((await worker.TryAsync(token, "ip", "link", "show", link)).ExitCode, Is.Not.Zero, "no link");

        worker.PutInEtc("wireguard", Path.Combine(files, "torbalancer.nft"));
        await worker.RunAsync(token, "wg-quick", "up", link);
        Assert.That(await worker.RunAsync(token, "nft", "list", "table", "inet", "torbalancer"), Does.Contain($"iifname \"{link}\" drop"));
        await worker.RunAsync(token, "wg-quick", "down", link);
    }

    [Test, CancelAfter(120_000)]
    public async Task Refused_port_is_seen_at_the_first_byte(CancellationToken token)
    {
        var result = await _lab.Host.TryAsync(
            token, "curl", "-sS", "-x", $"socks5h://{_daemon.Address}", $"http://{Name}:{_lab.Network.ClosedPort}/");

        Assert.That(result.ExitCode, Is.EqualTo(52), $"a TransPort takes every connection: {result.Error}");
        await _daemon.WaitForLineAsync(static line => line.Contains(" cause=no_first_byte ", StringComparison.Ordinal), token);
    }

    /// <summary>For people: how much of the link's speed the daemon leaves. The machine decides, so nothing is asserted of it.</summary>
    [Test, CancelAfter(180_000)]
    public async Task Throughput_with_and_without_the_daemon(CancellationToken token)
    {
        const long bytes = 20_000_000;
        string url = Url(WireGuardLab.OriginAddress, $"/bytes/{bytes}");
        string ready = await _daemon.WaitForLineAsync(
            static line => line.Contains("Listener failover on ", StringComparison.Ordinal), token);
        string failover = $"http://{ready[(ready.LastIndexOf(' ') + 1)..]}";
        double alone = 0, through = 0;
        for (int round = 0; round < 3; round++)
        {
            // The first round also makes circuits.
            // Mode failover: both take the first worker's link.
            alone = Math.Max(alone, await SpeedAsync(token, "--interface", WireGuardLab.Link(1), url));
            through = Math.Max(through, await SpeedAsync(token, "-x", failover, url));
        }

        await TestContext.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"over one link: {alone / 1e6:F1} MB/s without the daemon, {through / 1e6:F1} MB/s through it: ratio {through / alone:F2}"));

        async Task<double> SpeedAsync(CancellationToken stop, params string[] arguments)
        {
            string[] said = (await CurlAsync(stop, [.. arguments, "-o", "/dev/null", "-w", "%{size_download} %{speed_download}"]))
                .Split(' ');
            Assert.That(long.Parse(said[0], CultureInfo.InvariantCulture), Is.EqualTo(bytes));
            return double.Parse(said[1], CultureInfo.InvariantCulture);
        }
    }

    /// <summary>The counters show what they are to show: a program that does leak is counted.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Counters_see_what_takes_another_way(CancellationToken token)
    {
        await _lab.ResetCountsAsync(token);
        await _lab.Host.TryAsync(token, "curl", "-s", "--noproxy", "*", "--max-time", "1", $"http://{WireGuardLab.OriginAddress}/");
        await _lab.Host.TryAsync(
            token, "bash", "-c", "echo x >/dev/udp/10.98.1.2/53; echo x >/dev/udp/127.0.0.1/53; echo x >/dev/udp/10.98.1.2/99");

        Assert.That(await _lab.CountAsync("direct", token), Is.Positive);
        Assert.That(await _lab.CountAsync("dns", token), Is.EqualTo(2));
        Assert.That(await _lab.CountAsync("stray", token), Is.EqualTo(2));
        await _lab.ResetCountsAsync(token);
    }
}
