using System.Globalization;
using System.Net;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// Hosts that know of no proxy, behind a gateway of the files that init --gateway writes, with the real daemon and real tor: what they
/// reach, that nothing of theirs takes another way, and that they are kept apart.
/// </summary>
[NonParallelizable] // Each test counts what goes through one gateway.
[SupportedOSPlatform("linux")]
public sealed partial class TransparentTests
{
    private TransparentLab _lab = null!;
    private DaemonUnderTest _daemon = null!;

    private string Onion => _lab.Network.OnionAddress;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        _lab = await TransparentLab.StartAsync(limit.Token);
        _daemon = await StartDaemonAsync(limit.Token);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
        if (_lab is not null)
            await _lab.DisposeAsync();
    }

    [TearDown]
    public async Task AssertNothingPassedAsync() => Assert.That(await _lab.PassedAsync(CancellationToken.None), Is.Zero, "packets past us");

    [Test, CancelAfter(90_000)]
    public async Task Programs_with_nothing_configured_reach_names_addresses_and_onion_services(CancellationToken token)
    {
        Assert.That(await CurlAsync(0, token, Url("origin.test", "/exit")), Does.Match(@"^e0[12]\n$"));
        Assert.That(await CurlAsync(0, token, Url("198.51.100.1", "/exit")), Is.EqualTo("e01\n"));

        // curl refuses .onion names by itself in newer versions (RFC 7686), before it asks anybody; then it is told the address.
        var curl = await _lab.Lan[0].TryAsync(token, "curl", "--disable", "-sS", "--max-time", "40", $"http://{Onion}/exit");
        Assert.That((curl.ExitCode, curl.Output + curl.Error), Is.EqualTo((0, "unknown\n")).Or.EqualTo((6, curl.Error)), curl.Error);
        Assert.That(curl.ExitCode == 0 || curl.Error.Contains("RFC 7686", StringComparison.Ordinal), curl.Error);
        foreach (var (type, end) in new[] { ("A", "NOERROR A "), ("AAAA", "NOERROR AAAA ") })
        {
            string answer = await DigAsync(token, Onion, type);
            Assert.That(answer, Does.StartWith(end));
            string address = answer[end.Length..];
            string there = type == "A" ? address : $"[{address}]";
            Assert.That(
                await CurlAsync(0, token, "--connect-to", $"::{there}:", $"http://{Onion}/exit"), Is.EqualTo("unknown\n"), type);
        }

        // Over either family, so that both of NAT's records are asked for.
        foreach (string family in (string[])["-4", "-6"])
        {
            string page = await _lab.Lan[0].RunAsync(
                token, "wget", family, "-qO-", "--tries=1", "--timeout=40", $"http://{Onion}/exit");
            Assert.That(page, Is.EqualTo("unknown\n"), family);
        }

        foreach (string client in (string[])["10.77.1.2", "fd77:1::2"])
        {
            await _daemon.WaitForLineAsync(
                line => line.Contains($"listener=lan client={client} protocol=transparent target={Onion}:80 ", StringComparison.Ordinal)
                    && line.Contains("cause=ok", StringComparison.Ordinal), token);
        }
    }

    [Test, CancelAfter(90_000)]
    public async Task Bodies_pass_unharmed_whether_a_name_is_looked_for_in_them_or_not(CancellationToken token)
    {
        string body = Path.Combine(_lab.Directory, "body");
        byte[] bytes = new byte[2_000_000];
        new Random(7).NextBytes(bytes);
        await File.WriteAllBytesAsync(body, bytes, token);

        await CurlAsync(0, token, "--data-binary", "@" + body, "-o", body + ".back", Url("198.51.100.1", "/echo"));

        Assert.That(await File.ReadAllBytesAsync(body + ".back", token), Is.EqualTo(bytes));
    }

    [Test, CancelAfter(90_000)]
    public async Task Git_clones_a_repository(CancellationToken token)
    {
        string served = System.IO.Directory.CreateDirectory(Path.Combine(_lab.Directory, "git")).FullName;
        await _lab.WorldHost.RunAsync(token, "bash", "-c", $"""
            set -e; cd {served}; export HOME={served}
            git init -q a; cd a; git config user.email a@a; git config user.name a
            head -c 300000 /dev/urandom > file; git add file; git commit -qm one; cd ..
            git clone -q --bare a a.git; git -C a.git update-server-info
            """);
        await using var server = ForegroundProcess.Start(
            [.. _lab.WorldHost.Under, ClientProcess.Require("python3"), "-u", "-m", "http.server", "8088", "--directory", served]);
        await server.WaitForLineAsync("Serving HTTP", token);

        string clone = Path.Combine(_lab.Directory, "clone");
        await _lab.Lan[1].RunAsync(token, "git", "clone", "-q", "http://origin.test:8088/a.git", clone);

        Assert.That(
            await File.ReadAllBytesAsync(Path.Combine(clone, "file"), token),
            Is.EqualTo(await File.ReadAllBytesAsync(Path.Combine(served, "a", "file"), token)));
    }

    [Test, CancelAfter(90_000)]
    public async Task Requests_are_spread_as_the_mode_promises_while_names_are_asked_beside_them(CancellationToken token)
    {
        const int requests = 200;
        int before = Count("worker-01") + Count("worker-02"), first = Count("worker-01");
        string codes = await CurlAsync(
            1, token, "-H", "Connection: close", "-o", "/dev/null", "-w", "%{http_code} ",
            Url("198.51.100.[1-2]", $"/bytes/[1-{requests / 2}]"));

        Assert.That(codes.Split(' ', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(requests).And.All.EqualTo("200"));
        await _daemon.WaitForLineAsync(_ => Count("worker-01") + Count("worker-02") >= before + requests, token);
        Assert.That(Count("worker-01") - first, Is.EqualTo(requests / 2));

        // Names of their own, so that each is looked up; by a mode that takes turns the lookups would take every other one.
        (before, first) = (Count("worker-01") + Count("worker-02"), Count("worker-01"));
        for (int i = 0; i < 10; i++)
            await CurlAsync(1, token, Url($"n{i}.spread.test", "/exit"));
        await _daemon.WaitForLineAsync(_ => Count("worker-01") + Count("worker-02") >= before + 10, token);
        Assert.That(Count("worker-01") - first, Is.EqualTo(5));

        int Count(string worker) => _daemon.Lines.Count(
            line => line.Contains("protocol=transparent", StringComparison.Ordinal)
                && line.Contains(" worker=" + worker, StringComparison.Ordinal)
                && line.Contains("client=10.77.1.3 ", StringComparison.Ordinal) && line.Contains("cause=ok", StringComparison.Ordinal));
    }

    [Test, CancelAfter(90_000)]
    public async Task Two_hosts_never_share_a_circuit_nor_do_their_questions_for_names(CancellationToken token)
    {
        var controls = await WatchWorkersAsync(token);
        var watches = controls.ConvertAll(static control => control.Subscribe(8192));
        for (int i = 0; i < 8; i++)
        {
            foreach (int host in (int[])[0, 1])
                await CurlAsync(host, token, Url($"apart{i}.test", "/exit"), Url("198.51.100.1", "/exit"));
        }

        var circuits = CircuitsOf(watches);
        foreach (var watch in watches)
            watch.Dispose();
        foreach (var control in controls)
            await control.DisposeAsync();
        Assert.That(circuits.Values.SelectMany(static one => one).Distinct().Count(), Is.EqualTo(2), "a token for each host");
        Assert.That(circuits.Values, Has.All.Count.EqualTo(1), "no circuit has carried both");
        Assert.That(circuits, Has.Count.GreaterThanOrEqualTo(4), "each host has had one at each worker");
    }

    [Test, CancelAfter(90_000)]
    public async Task Names_are_answered_by_workers_and_nobody_else(CancellationToken token)
    {
        Assert.That(await DigAsync(token, "origin.test", "A"), Does.Match(@"^NOERROR A 198\.51\.100\.[12]$"));
        Assert.That(await DigAsync(token, "+tcp", "@192.0.2.1", "dual.test", "A"), Does.Match(@"^NOERROR A 198\.51\.100\.[12]$"));
        Assert.That(await DigAsync(token, "@2001:db8::53", "six.dual.test", "A"), Does.Match(@"^NOERROR A 198\.51\.100\.[12]$"));
        Assert.That(await DigAsync(token, "origin.test", "AAAA"), Is.EqualTo("NOERROR"));
        Assert.That(await DigAsync(token, "nx.test", "A"), Is.EqualTo("NXDOMAIN"));
        Assert.That(await DigAsync(token, "-x", "192.0.2.7"), Is.EqualTo("NOERROR PTR 192-0-2-7.reverse.test."));
        Assert.That(await DigAsync(token, "-x", "192.168.1.1"), Is.EqualTo("NXDOMAIN"));
        Assert.That(await DigAsync(token, Onion, "A"), Does.StartWith("NOERROR A 10.").And.Not.Contain(" 10.77."));
        Assert.That(await DigAsync(token, Onion, "AAAA"), Does.StartWith("NOERROR AAAA fc"));
        string wrong = (Onion[0] == 'x' ? 'y' : 'x') + Onion[1..];
        Assert.That(await DigAsync(token, wrong, "A"), Is.EqualTo("NXDOMAIN"), "its checksum is wrong");
        Assert.That(await DigAsync(token, "printer.local", "A"), Is.EqualTo("NXDOMAIN"));
        Assert.That(await DigAsync(token, "ads.test", "A"), Is.EqualTo("REFUSED"));
        Assert.That(await DigAsync(token, "origin.test", "TXT"), Is.EqualTo("NOTIMP"));
        Assert.That(await DigAsync(token, "origin.test", "TYPE65"), Is.EqualTo("NOTIMP"));
        Assert.That(await DigAsync(token, "CH", "version.bind", "TXT"), Is.EqualTo("REFUSED"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Loops_stale_names_and_what_rules_reject_end_in_a_reset(CancellationToken token)
    {
        foreach (var (address, port) in ((string, int)[])[
            (TransparentLab.Gateway6, TransparentLab.TproxyPort), (TransparentLab.Gateway4, TransparentLab.DnsPort),
            (TransparentLab.World, _lab.WorkerPorts.First()), ("10.255.1.1", 80), ("fc12::1", 80), ("192.168.3.4", 80)])
        {
            await AssertResetAsync(address, port, token);
        }

        // By the rules already.
        await AssertResetAsync(TransparentLab.Gateway4, TransparentLab.TransparentPort, token, how: "ConnectionRefusedError");

        // The name is in the request alone.
        await AssertResetAsync("198.51.100.1", _lab.Network.OriginPort, token, @"GET /exit HTTP/1.1\r\nHost: www.ads.test\r\n\r\n");
        await _daemon.WaitForLineAsync(
            static line => line.Contains(": a connection was refused, and others may be: it leads to", StringComparison.Ordinal), token);
        Assert.That(
            _daemon.Lines.Where(static line => line.Contains("cause=route_rejected", StringComparison.Ordinal)),
            Has.All.Contains(" worker=- ").And.All.Contains(" attempts=0 "), "nobody was asked");
    }

    [Test, CancelAfter(90_000)]
    public async Task Connections_by_TPROXY_go_the_same_way(CancellationToken token)
    {
        await _lab.Gateway.RunAsync(token, "ip", "rule", "add", "fwmark", "1", "lookup", "100");
        await _lab.Gateway.RunAsync(token, "ip", "-6", "rule", "add", "fwmark", "1", "lookup", "100");
        await _lab.Gateway.RunAsync(token, "ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "100");
        await _lab.Gateway.RunAsync(token, "ip", "-6", "route", "add", "local", "::/0", "dev", "lo", "table", "100");

        // docs/gateway.md, beside the rules of init: they leave alone what has been given a socket already.
        await _lab.Gateway.RunAsync(token, "nft", "insert", "rule", "inet", "torbalancer_gateway", "prerouting", "meta mark 1 accept");
        await _lab.Gateway.RunAsync(token, "nft", "insert", "rule", "inet", "torbalancer_gateway", "from_lan", "meta mark 1 accept");
        await _lab.Gateway.LoadRulesAsync(Path.Combine(_lab.Directory, "tproxy.nft"), string.Create(CultureInfo.InvariantCulture, $$"""
            table inet by_tproxy {
                chain prerouting {
                    type filter hook prerouting priority mangle; policy accept;
                    iifname "lan0" fib daddr type local return
                    iifname "lan0" tcp dport 53 return
                    iifname "lan0" meta nfproto ipv4 meta l4proto tcp tproxy ip to :{{TransparentLab.TproxyPort}} meta mark set 1 accept
                    iifname "lan0" meta nfproto ipv6 meta l4proto tcp tproxy ip6 to :{{TransparentLab.TproxyPort}} meta mark set 1 accept
                }
            }
            """), token);
        try
        {
            Assert.That(await CurlAsync(0, token, Url("origin.test", "/exit")), Does.Match(@"^e0[12]\n$"));
            Assert.That(await CurlAsync(0, token, Url("198.51.100.2", "/exit")), Is.EqualTo("e02\n"));
            foreach (string family in (string[])["-4", "-6"])
            {
                string page = await _lab.Lan[0].RunAsync(
                    token, "wget", family, "-qO-", "--tries=1", "--timeout=40", $"http://{Onion}/exit");
                Assert.That(page, Is.EqualTo("unknown\n"), family);
            }

            await AssertResetAsync(TransparentLab.Gateway4, TransparentLab.TproxyPort, token);
            await _daemon.WaitForLineAsync(
                static line => line.Contains("listener=tproxy", StringComparison.Ordinal)
                    && line.Contains("cause=ok", StringComparison.Ordinal),
                token, after: 3);
        }
        finally
        {
            await _lab.Gateway.RunAsync(CancellationToken.None, "nft", "delete", "table", "inet", "by_tproxy");
            await _lab.LoadFilesAsync(CancellationToken.None);
        }
    }

    /// <summary>The others go on with the daemon that it starts.</summary>
    [Test, CancelAfter(90_000)]
    public async Task Nothing_passes_while_the_daemon_is_up_killed_and_starting_again(CancellationToken token)
    {
        await SendEverythingAsync(token);
        Assert.That(await _lab.PassedAsync(token), Is.Zero, "up");

        _daemon.Kill();
        await _daemon.Exited.WaitAsync(token);
        Assert.That(await SendEverythingAsync(token), Is.EqualTo("ConnectionRefusedError\nConnectionRefusedError\n"));
        var dig = await _lab.Lan[0].TryAsync(token, "dig", "+tries=1", "+time=1", "origin.test");
        Assert.That(dig.ExitCode, Is.Not.Zero);
        Assert.That(await _lab.PassedAsync(token), Is.Zero, "killed");

        await _daemon.DisposeAsync();
        var starting = StartDaemonAsync(token);
        while (!starting.IsCompleted)
            await SendEverythingAsync(token);
        _daemon = await starting;
        Assert.That(await CurlAsync(0, token, Url("origin.test", "/exit")), Does.Match(@"^e0[12]\n$"));
        Assert.That(await _lab.PassedAsync(token), Is.Zero, "started again");

        // By the rules alone, by the kernel's settings alone; and the counters do see what passes without both.
        await _lab.ForwardAsync(token);
        await SendEverythingAsync(token);
        Assert.That(await _lab.PassedAsync(token), Is.Zero, "by the rules");
        await _lab.LoadFilesAsync(token);
        await _lab.Gateway.RunAsync(token, "nft", "delete", "table", "inet", "torbalancer_gateway");
        await SendEverythingAsync(token);
        Assert.That(await _lab.PassedAsync(token), Is.Zero, "by the kernel's settings");
        await _lab.ForwardAsync(token);
        await SendEverythingAsync(token);
        Assert.That(await _lab.PassedAsync(token), Is.GreaterThanOrEqualTo(10), "by neither");
        await _lab.LoadFilesAsync(token);
        await _lab.Out.RunAsync(token, "nft", "reset", "counters");
    }
}
