using System.Globalization;
using System.Text.RegularExpressions;
using TorBalancer.Processes;
using TorBalancer.Testnet.Supervision;

namespace TorBalancer.Tests.Support;

/// <summary>
/// Two hosts without any proxy setting, the gateway that they know as their router, a private Tor network behind it, and another way out,
/// where everything that passes the gateway would be counted. IPv4 and IPv6.
/// </summary>
/// <remarks>
/// <code>
///   lan1 ──╮                         ╭── world (the Tor network, its workers, the origin)
///          ├─(bridge lan0)─ gateway ─┤
///   lan2 ──╯                         ╰── out (the default route)
/// </code>
/// The gateway forwards: what keeps packets from it are the rules alone.
/// </remarks>
internal sealed partial class TransparentLab : IAsyncDisposable
{
    public const string Gateway4 = "10.77.1.1", Gateway6 = "fd77:1::1", World = "10.99.0.1";

    /// <summary>Where the rules turn TCP and DNS.</summary>
    public const int TransparentPort = 1082, DnsPort = 1053;

    /// <summary>Where TPROXY sends what carries its mark.</summary>
    public const int TproxyPort = 1085;

    // As init --gateway writes them, with room for TPROXY.
    private const string Rules = """
        table inet torbalancer_gateway
        delete table inet torbalancer_gateway
        table inet torbalancer_gateway {
            chain prerouting {
                type nat hook prerouting priority dstnat - 5; policy accept;
                meta mark 1 accept
                iifname "lan0" meta l4proto { tcp, udp } th dport 53 redirect to :1053
                iifname "lan0" meta l4proto tcp redirect to :1082
            }
            chain input {
                type filter hook input priority filter; policy accept;
                iifname "lan0" jump from_lan
            }
            chain from_lan {
                ct state established,related accept
                meta mark 1 accept
                tcp dport { 1053, 1082, 1085 } accept
                udp dport 1053 accept
                icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
                counter drop
            }
            chain forward {
                type filter hook forward priority filter; policy accept;
                iifname "lan0" counter drop
                oifname "lan0" counter drop
            }
        }
        """;

    private readonly Stack<IAsyncDisposable> _parts = new();

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("tbt").FullName;

    public NetworkNamespace Gateway { get; private set; } = null!;

    public NetworkNamespace Out { get; private set; } = null!;

    public NetworkNamespace WorldHost { get; private set; } = null!;

    /// <summary>The two hosts.</summary>
    public IReadOnlyList<NetworkNamespace> Lan { get; private set; } = [];

    public TestnetState Network { get; private set; } = null!;

    /// <summary>The sections of the network's workers, as the gateway reaches them.</summary>
    public string WorkersConf =>
        File.ReadAllText(Network.ConfFile).Replace("Address = 127.0.0.1\n", $"Address = {World}\n", StringComparison.Ordinal);

    /// <summary>Skips the calling test where this cannot be built.</summary>
    public static async Task<TransparentLab> StartAsync(CancellationToken token)
    {
        foreach (string program in (string[])["ip", "nft", "tor", "curl", "wget", "dig", "python3"])
        {
            if (Executables.Find(program) is null)
                Assert.Ignore($"skipped: {program} is not installed");
        }

        var probe = await ProgramRun.RunAsync(Executables.Find("ip")!, ["netns", "add", $"tbt{Environment.ProcessId}"], token);
        if (probe.ExitCode != 0)
            Assert.Ignore($"skipped: network namespaces are not permitted here: {probe.Error.Trim()}");
        await new NetworkNamespace($"tbt{Environment.ProcessId}").DisposeAsync();
        var lab = new TransparentLab();
        try
        {
            await lab.BuildAsync(token);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    public Task LoadRulesAsync(CancellationToken token) =>
        Gateway.LoadRulesAsync(Path.Combine(Directory, "gateway.nft"), Rules, token);

    /// <summary>
    /// Packets that came out of the gateway by the default route, whoever sent them, and those of the hosts to the network.
    /// </summary>
    public async Task<long> PassedAsync(CancellationToken token)
    {
        string text = await Out.RunAsync(token, "nft", "list", "counter", "inet", "watch", "passed")
            + await WorldHost.RunAsync(token, "nft", "list", "counter", "inet", "watch", "passed");
        return Packets().Matches(text).Sum(static match => long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        while (_parts.TryPop(out var part))
            await part.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private async Task BuildAsync(CancellationToken token)
    {
        WorldHost = await NamespaceAsync("world", token);
        Gateway = await NamespaceAsync("gw", token);
        Out = await NamespaceAsync("out", token);
        Lan = [await NamespaceAsync("lan1", token), await NamespaceAsync("lan2", token)];
        string network = Path.Combine(Directory, "net");
        var testnet = ForegroundProcess.Start(
            [
                .. WorldHost.Under, ProgramRun.Daemon, "testnet", "up", "--foreground", "--directory", network, "--workers", "2",
                "--relays", "3", "--exits", "2", "--documentation-addresses",
            ]);
        _parts.Push(testnet);

        await Gateway.ConnectAsync("up0", "10.99.0.2/30", WorldHost, "dn0", $"{World}/30", token);
        await ConnectOutAsync(token);
        await ConnectLanAsync(token);
        await LoadRulesAsync(token);
        await testnet.WaitForLineAsync("Test network in ", token);
        Network = new TestnetDirectory(network).ReadState()!;
        await PrepareWorldAsync(token);
    }

    private async Task ConnectOutAsync(CancellationToken token)
    {
        await Gateway.ConnectAsync("out0", "192.0.2.2/24", Out, "in0", "192.0.2.1/24", token);
        await SpeakIPv6Async(Gateway, token);
        await SpeakIPv6Async(Out, token);
        await Gateway.RunAsync(token, "ip", "addr", "add", "2001:db8:1::2/64", "dev", "out0", "nodad");
        await Out.RunAsync(token, "ip", "addr", "add", "2001:db8:1::1/64", "dev", "in0", "nodad");
        await Gateway.RunAsync(token, "ip", "route", "add", "default", "via", "192.0.2.1");
        await Gateway.RunAsync(token, "ip", "-6", "route", "add", "default", "via", "2001:db8:1::1");
        await Gateway.RunAsync(token, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");

        // All but what IPv6 needs to find its neighbours.
        await Out.LoadRulesAsync(Path.Combine(Directory, "out.nft"), """
            table inet watch {
                counter passed { }
                chain prerouting {
                    type filter hook prerouting priority raw; policy accept;
                    icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
                    icmpv6 type mld2-listener-report accept
                    iifname "in0" counter name passed
                }
            }
            """, token);
    }

    private async Task ConnectLanAsync(CancellationToken token)
    {
        await Gateway.RunAsync(token, "ip", "link", "add", "lan0", "type", "bridge");

        // Rules are to see what comes from the bridge once: what TPROXY has found for a packet is forgotten on the way to the second time.
        await Gateway.RunAsync(
            token, "sysctl", "-eqw", "net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-ip6tables=0");
        await Gateway.RunAsync(token, "ip", "addr", "add", $"{Gateway4}/24", "dev", "lan0");
        await Gateway.RunAsync(token, "ip", "addr", "add", $"{Gateway6}/64", "dev", "lan0", "nodad");
        await Gateway.RunAsync(token, "ip", "link", "set", "lan0", "up");
        string resolver = Path.Combine(Directory, "resolv.conf");

        // Whoever it is: their questions are turned too.
        await File.WriteAllTextAsync(resolver, "nameserver 203.0.113.53\n", token);
        for (int i = 1; i <= Lan.Count; i++)
        {
            var host = Lan[i - 1];
            await SpeakIPv6Async(host, token);
            await Gateway.ConnectAsync($"p{i}", $"169.254.7.{i}/32", host, "eth0", $"10.77.1.{i + 1}/24", token);
            await Gateway.RunAsync(token, "ip", "addr", "flush", "dev", $"p{i}");
            await Gateway.RunAsync(token, "ip", "link", "set", $"p{i}", "master", "lan0");
            await host.RunAsync(token, "ip", "addr", "add", $"fd77:1::{i + 1}/64", "dev", "eth0", "nodad");
            await host.RunAsync(token, "ip", "route", "add", "default", "via", Gateway4);
            await host.RunAsync(token, "ip", "-6", "route", "add", "default", "via", Gateway6);
            host.PutInEtc("", resolver);
        }
    }

    /// <summary>The network's ports on loopback are reached from the gateway, and its names lead to where the origin is.</summary>
    private async Task PrepareWorldAsync(CancellationToken token)
    {
        await WorldHost.RunAsync(token, "sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
        foreach (int exit in (int[])[1, 2])
            await WorldHost.RunAsync(token, "ip", "addr", "add", $"198.51.100.{exit}/32", "dev", "lo");
        await WorldHost.LoadRulesAsync(Path.Combine(Directory, "world.nft"), """
            table inet watch {
                counter passed { }
                chain prerouting {
                    type filter hook prerouting priority raw; policy accept;
                    iifname "dn0" ip saddr 10.77.1.0/24 counter name passed
                    iifname "dn0" ip6 saddr fd77:1::/64 counter name passed
                }
            }
            table ip lab {
                chain output {
                    type nat hook output priority -100;
                    ip daddr 198.51.100.1 meta l4proto tcp dnat to 127.0.31.1
                    ip daddr 198.51.100.2 meta l4proto tcp dnat to 127.0.31.2
                }
                chain prerouting { type nat hook prerouting priority -100; iifname "dn0" meta l4proto tcp dnat to 127.0.0.1; }
            }
            """, token);
    }

    private static Task SpeakIPv6Async(NetworkNamespace host, CancellationToken token) => host.RunAsync(
        token, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0",
        "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0");

    private async Task<NetworkNamespace> NamespaceAsync(string role, CancellationToken token)
    {
        var made = await NetworkNamespace.CreateAsync(
            string.Create(CultureInfo.InvariantCulture, $"tbt{Environment.ProcessId}{role}"), token);
        _parts.Push(made);
        return made;
    }

    [GeneratedRegex(@"packets (\d+)")]
    private static partial Regex Packets();
}
