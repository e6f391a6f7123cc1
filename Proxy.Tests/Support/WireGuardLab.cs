using System.Globalization;
using System.Text.RegularExpressions;
using TorBalancer.Testnet.Supervision;

namespace TorBalancer.Tests.Support;

/// <summary>
/// Two workers behind WireGuard links, each with a tor and a network namespace of its own; the host that the daemon runs on;
/// a private Tor network; and a default route to nowhere, where everything that takes another way would be counted.
/// </summary>
/// <remarks>
/// <code>
///   out ── host ══(WireGuard over und1)══ worker 1 ── world (authorities, relays, exit, origin)
///            ╚════(WireGuard over und2)══ worker 2 ──╯
/// </code>
/// Links, torrc and firewall are what <c>torbalancer init --wireguard</c> writes, each where its README says (in an /etc/wireguard that
/// each namespace has for itself), and are brought up as it says. No namespace has a way out of the lab. The
/// Tor network lives on loopback of world; NAT makes its ports appear on loopback of the workers too.
/// </remarks>
internal sealed partial class WireGuardLab : IAsyncDisposable
{
    public const int Workers = 2;

    /// <summary>Where the origin's names lead, and its port there, which nothing but tests' clients uses.</summary>
    public const string OriginAddress = "198.51.100.1";
    public const int Port = 8080;

    private readonly Stack<IAsyncDisposable> _parts = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("tbl").FullName;

    public NetworkNamespace Host { get; private set; } = null!;

    public TestnetState Network { get; private set; } = null!;

    /// <summary>A canary that goes to another port than tests' clients, so that counts of theirs are exact.</summary>
    public string Canary => string.Create(CultureInfo.InvariantCulture, $"http://{Network.OriginName}:{Network.OriginPort}/");

    /// <summary>The sections that init wrote for the daemon, without the spare worker's.</summary>
    public string WorkersConf
    {
        get
        {
            string text = File.ReadAllText(Path.Combine(_directory, "wg", "torbalancer.workers.conf"));
            return text[..text.IndexOf($"[Worker:{Id(Workers + 1)}]", StringComparison.Ordinal)];
        }
    }

    private static string Id(int worker) => string.Create(CultureInfo.InvariantCulture, $"worker-{worker:00}");

    public static string Link(int worker) => string.Create(CultureInfo.InvariantCulture, $"wg-tor{worker:00}");

    public static async Task<WireGuardLab> StartAsync(CancellationToken token)
    {
        if (await NetworkNamespace.WhyNotAsync(token) is { } reason)
            Assert.Ignore($"skipped: {reason}");
        var lab = new WireGuardLab();
        try
        {
            lab._parts.Push(await TakeMachineAsync(token));
            await NetworkNamespace.RemoveAllAsync("tbl", token);
            await lab.BuildAsync(token);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Packets counted so far: <c>dns</c> (port 53, any interface), <c>direct</c> (the default route), <c>stray</c> (anywhere else but
    /// links and loopback), <c>link01</c>… (connections to <see cref="Port"/>), <c>names01</c>….
    /// </summary>
    public async Task<long> CountAsync(string name, CancellationToken token)
    {
        string text = await Host.RunAsync(token, "nft", "list", "counter", "inet", "watch", name);
        return long.Parse(Packets().Match(text).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    public Task ResetCountsAsync(CancellationToken token) => Host.RunAsync(token, "nft", "reset", "counters");

    /// <summary>Down takes the link's route with it; who sets it up again puts it back, as wg-quick does.</summary>
    public async Task SetLinkAsync(int worker, bool up, CancellationToken token)
    {
        await Host.RunAsync(token, "ip", "link", "set", Link(worker), up ? "up" : "down");
        if (up)
            await Host.RunAsync(token, "ip", "route", "replace", "default", "dev", Link(worker), "table", $"{9000 + worker}");
    }

    public async ValueTask DisposeAsync()
    {
        while (_parts.TryPop(out var part))
            await part.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>
    /// Names of WireGuard interfaces are shared by all namespaces (wireguard-go keeps a socket for each), so one lab at a time.
    /// </summary>
    private static async Task<FileStream> TakeMachineAsync(CancellationToken token)
    {
        while (true)
        {
            try
            {
                return new FileStream(
                    Path.Combine(Path.GetTempPath(), "torbalancer-wireguard-lab.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite,
                    FileShare.None);
            }
            catch (IOException)
            {
                await Task.Delay(200, token);
            }
        }
    }

    private async Task BuildAsync(CancellationToken token)
    {
        var world = await NamespaceAsync("world", token);
        Host = await NamespaceAsync("host", token);
        var outside = await NamespaceAsync("out", token);
        await Host.ConnectAsync("out0", "192.0.2.2/24", outside, "in0", "192.0.2.1/24", token);
        await Host.RunAsync(token, "ip", "route", "add", "default", "via", "192.0.2.1");

        // As hardened hosts have it: what comes from a link must be what would be sent there.
        await Host.RunAsync(token, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1");

        string network = Path.Combine(_directory, "net");
        var testnet = ForegroundProcess.Start(
            [
                .. world.Under, ProgramRun.Daemon, "testnet", "up", "--foreground", "--directory", network, "--workers", "1", "--relays",
                "3", "--exits", "1", "--documentation-addresses",
            ]);
        _parts.Push(testnet);
        string[] endpoints =
        [
            .. Enumerable.Range(1, Workers + 1).SelectMany(static i => new[] { "--endpoint", $"10.98.{i}.2:{51820 + i}" }),
        ];
        var init = await ProgramRun.RunAsync(
            ProgramRun.Daemon, ["init", "--wireguard", "--output", Path.Combine(_directory, "wg"), .. endpoints], token);
        Assert.That(init.ExitCode, Is.Zero, init.Error);

        await testnet.WaitForLineAsync("Test network in ", token);
        Network = new TestnetDirectory(network).ReadState()!;
        await PrepareWorldAsync(world, token);
        await WatchAsync(token);
        for (int i = 1; i <= Workers; i++)
            await AddWorkerAsync(i, world, token);
    }

    /// <summary>A namespace with nothing in it and no link, and the directory with the files that init wrote for such a worker.</summary>
    public async Task<(NetworkNamespace Worker, string Files)> SpareWorkerAsync(CancellationToken token)
    {
        var worker = await NamespaceAsync("spare", token);
        _parts.Push(new LinkRemoval(worker, $"wg-hub{Workers + 1:00}"));
        return (worker, Path.Combine(_directory, "wg", Id(Workers + 1)));
    }

    private async Task AddWorkerAsync(int number, NetworkNamespace world, CancellationToken token)
    {
        var worker = await NamespaceAsync($"w{number}", token);
        await Host.ConnectAsync($"und{number}", $"10.98.{number}.1/30", worker, $"und{number}", $"10.98.{number}.2/30", token);
        await worker.ConnectAsync("up0", $"10.99.{number}.2/30", world, $"dn{number}", $"10.99.{number}.1/30", token);

        // The network's addresses are 127.0.0.1: what tor sends there goes to world, where NAT makes it loopback again.
        await worker.RunAsync(token, "sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
        await worker.LoadRulesAsync(Path.Combine(_directory, $"w{number}.nft"), $$"""
            table ip lab {
                chain output { type nat hook output priority -100; ip daddr 127.0.0.1 meta l4proto tcp dnat to 10.99.{{number}}.1; }
                chain postrouting { type nat hook postrouting priority 100; oifname "up0" masquerade; }
            }
            """, token);

        string files = Path.Combine(_directory, "wg", Id(number)), link = $"wg-hub{number:00}";
        worker.PutInEtc("wireguard", Path.Combine(files, "torbalancer.nft"));
        worker.PutInEtc("wireguard", Path.Combine(files, $"{link}.conf"));
        Host.PutInEtc("wireguard", Path.Combine(_directory, "wg", "host", $"{Link(number)}.conf"));
        await BringUpAsync(worker, link, token);
        await BringUpAsync(Host, Link(number), token);

        string data = Path.Combine(_directory, $"tor{number}"), torrc = Path.Combine(_directory, $"torrc{number}");
        string[] ours =
        [
            $"DataDirectory {data}", "Log notice stdout", $"__OwningControllerProcess {Environment.ProcessId}", .. Network.ClientTorrc,
        ];
        await File.WriteAllTextAsync(
            torrc, $"{await File.ReadAllTextAsync(Path.Combine(files, "torrc"), token)}\n{string.Join('\n', ours)}\n", token);
        var tor = ForegroundProcess.Start([.. worker.Under, "/usr/bin/env", "tor", "--defaults-torrc", "/dev/null", "-f", torrc]);
        _parts.Push(tor);
        await tor.WaitForLineAsync("Bootstrapped 100%", token);
    }

    private async Task BringUpAsync(NetworkNamespace where, string link, CancellationToken token)
    {
        await where.RunAsync(token, "wg-quick", "up", link);

        // wireguard-go ends when its interface is deleted, and lives on in a deleted namespace otherwise.
        _parts.Push(new LinkRemoval(where, link));
    }

    /// <summary>Names lead to a documentation address, which is the origin's here; its second port is for tests' clients.</summary>
    private async Task PrepareWorldAsync(NetworkNamespace world, CancellationToken token)
    {
        await world.RunAsync(token, "sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
        await world.RunAsync(token, "ip", "addr", "add", $"{OriginAddress}/32", "dev", "lo");
        await world.LoadRulesAsync(Path.Combine(_directory, "world.nft"), $$"""
            table ip lab {
                chain output {
                    type nat hook output priority -100;
                    ip daddr {{OriginAddress}} tcp dport {{Port}} dnat to 127.0.31.1:{{Network.OriginPort}}
                    ip daddr {{OriginAddress}} meta l4proto tcp dnat to 127.0.31.1
                }
                chain prerouting { type nat hook prerouting priority -100; iifname "dn*" meta l4proto tcp dnat to 127.0.0.1; }
            }
            """, token);
    }

    /// <summary>
    /// WireGuard's own packets may take the cables, and so may the kernel's answers to those of a worker whose peer is gone.
    /// </summary>
    private Task WatchAsync(CancellationToken token)
    {
        string[] links = [.. Enumerable.Range(1, Workers).Select(static i => $"{i:00}")];
        string counters = string.Join(
            '\n',
            ((string[])["dns", "direct", "stray", .. links.SelectMany(static i => new[] { $"link{i}", $"names{i}" })])
                .Select(static name => $"counter {name} {{ }}"));
        string counts = string.Join('\n', links.Select(static i =>
            $"oifname \"wg-tor{i}\" tcp dport {Port} tcp flags & (syn | ack) == syn counter name link{i}\noifname \"wg-tor{i}\" udp "
                + $"dport 5353 counter name names{i}"));
        return Host.LoadRulesAsync(Path.Combine(_directory, "host.nft"), $$"""
            table inet watch {
                {{counters}}
                chain output {
                    type filter hook output priority 300; policy accept;
                    meta l4proto { tcp, udp } th dport 53 counter name dns
                    oifname "lo" accept
                    {{counts}}
                    oifname "wg-tor*" accept
                    oifname "und*" udp dport 51821-51822 accept
                    oifname "und*" icmp type destination-unreachable accept
                    oifname "out0" counter name direct
                    oifname != "out0" counter name stray
                }
            }
            """, token);
    }

    private async Task<NetworkNamespace> NamespaceAsync(string role, CancellationToken token)
    {
        var made = await NetworkNamespace.CreateAsync(
            string.Create(CultureInfo.InvariantCulture, $"tbl{Environment.ProcessId}{role}"), token);
        _parts.Push(made);
        return made;
    }

    [GeneratedRegex(@"packets (\d+)")]
    private static partial Regex Packets();

    private sealed class LinkRemoval(NetworkNamespace where, string link) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await where.TryAsync(CancellationToken.None, "ip", "link", "del", link);
    }
}
