using System.Globalization;
using System.Text.RegularExpressions;
using TorBalancer.Daemon.Commands;
using TorBalancer.Processes;
using TorBalancer.Testnet.Nodes;
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
/// The gateway is made of the files that init --gateway writes, none of them changed: its rules, settings of the kernel and configuration.
/// </remarks>
internal sealed partial class TransparentLab : IAsyncDisposable
{
    public const string Gateway4 = "10.77.1.1", Gateway6 = "fd77:1::1", World = "10.99.0.1";

    /// <summary>Where init's files have the listener and the name server.</summary>
    public const int TransparentPort = GatewayNetwork.TransparentPort, DnsPort = GatewayNetwork.DnsPort;

    /// <summary>Where TPROXY sends what carries its mark.</summary>
    public const int TproxyPort = 1085;

    private readonly Stack<IAsyncDisposable> _parts = new();

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("tbt").FullName;

    public NetworkNamespace Gateway { get; private set; } = null!;

    public NetworkNamespace Out { get; private set; } = null!;

    public NetworkNamespace WorldHost { get; private set; } = null!;

    /// <summary>The two hosts.</summary>
    public IReadOnlyList<NetworkNamespace> Lan { get; private set; } = [];

    public TestnetState Network { get; private set; } = null!;

    /// <summary>The workers' SocksPorts, at <see cref="World"/>.</summary>
    public IEnumerable<int> WorkerPorts =>
        Network.Nodes.Where(static node => node.Role == TestNodeRole.Worker).Select(static node => node.SocksPort);

    /// <summary>The file that init has written, with the network's workers.</summary>
    public string Configuration => Path.Combine(Files, "torbalancer.conf");

    private string Files => Path.Combine(Directory, "gateway");

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

    /// <summary>Loads init's rules, and its settings of the kernel.</summary>
    public async Task LoadFilesAsync(CancellationToken token)
    {
        await Gateway.RunAsync(token, "nft", "-f", Path.Combine(Files, GatewayFiles.Rules));
        await Gateway.RunAsync(token, "sysctl", "-q", "-p", Path.Combine(Files, GatewayFiles.Kernel));
    }

    /// <summary>What the rules are then alone in the way of.</summary>
    public Task ForwardAsync(CancellationToken token) =>
        Gateway.RunAsync(token, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");

    /// <summary>Packets to the port of QUIC, and others, that the hosts have sent the gateway.</summary>
    public Task<long> SentAsync(string counter, CancellationToken token) => CountAsync(Gateway, "sent", counter, token);

    /// <summary>
    /// Packets that came out of the gateway by the default route, whoever sent them, and those to the network that are not connections to
    /// its workers.
    /// </summary>
    public async Task<long> PassedAsync(CancellationToken token) =>
        await CountAsync(Out, "watch", "passed", token) + await CountAsync(WorldHost, "watch", "passed", token);

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

        await SpeakIPv6Async(WorldHost, token);
        await Gateway.ConnectAsync("up0", "10.99.0.2/30", WorldHost, "dn0", $"{World}/30", token);
        await ConnectOutAsync(token);
        await ConnectLanAsync(token);
        await testnet.WaitForLineAsync("Test network in ", token);
        Network = new TestnetDirectory(network).ReadState()!;
        await PrepareWorldAsync(token);
        var init = await CommandRun.OfAsync(
        [
            "init", "--gateway", "lan0", "--gateway", "10.99.0.2", "--mode", "round_robin", "--output", Files,
            .. WorkerPorts.SelectMany(port => (string[])["--worker", Text($"{World}:{port}")]),
        ]);
        Assert.That(init.Code, Is.Zero, init.Error);
        await LoadFilesAsync(token);
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
        await Gateway.LoadRulesAsync(Path.Combine(Directory, "sent.nft"), """
            table inet sent {
                counter quic { }
                counter dns { }
                chain prerouting {
                    type filter hook prerouting priority raw; policy accept;
                    iifname "lan0" udp dport 443 counter name quic
                    iifname "lan0" udp dport 53 counter name dns
                }
            }
            """, token);
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
        {
            await WorldHost.RunAsync(token, "ip", "addr", "add", $"198.51.100.{exit}/32", "dev", "lo");
            await WorldHost.RunAsync(token, "ip", "addr", "add", $"2001:db8:80::{exit}/128", "dev", "lo", "nodad");
        }

        // The gateway itself speaks with the workers and with nobody else, whoever it is for.
        await WorldHost.LoadRulesAsync(Path.Combine(Directory, "world.nft"), Text($$"""
            table inet watch {
                counter passed { }
                chain prerouting {
                    type filter hook prerouting priority raw; policy accept;
                    icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
                    icmpv6 type mld2-listener-report accept
                    iifname "dn0" ip saddr 10.99.0.2 tcp dport { {{string.Join(", ", WorkerPorts)}} } accept
                    iifname "dn0" counter name passed
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
            """), token);
    }

    private static async Task<long> CountAsync(NetworkNamespace space, string table, string counter, CancellationToken token)
    {
        string text = await space.RunAsync(token, "nft", "list", "counter", "inet", table, counter);
        return Packets().Matches(text).Sum(static match => long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

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
