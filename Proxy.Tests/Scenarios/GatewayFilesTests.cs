using System.Net;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using TorBalancer.Daemon.Commands;
using TorBalancer.Daemon.Doctor;
using TorBalancer.Tests.Doctor;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>What init --gateway writes, as the kernel takes it: between a host and a world that could reach each other.</summary>
[CancelAfter(120_000)]
[SupportedOSPlatform("linux")]
public sealed class GatewayFilesTests
{
    private GatewayLab _lab = null!;

    private string Rules => Path.Combine(_lab.Directory, "out", GatewayFiles.Rules);

    private string Kernel => Path.Combine(_lab.Directory, "out", GatewayFiles.Kernel);

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        _lab = await GatewayLab.StartAsync(patience.Token);
        var run = await CommandRun.OfAsync(["init", "--gateway", "lan0", "--output", Path.Combine(_lab.Directory, "out")]);
        Assert.That(run.Code, Is.Zero, run.Error);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (_lab is not null)
            await _lab.DisposeAsync();
    }

    /// <summary>The rules alone, in a kernel that forwards; and the kernel's settings alone, without rules.</summary>
    [Test]
    public async Task Nothing_passes_by_the_rules_nor_by_the_kernel_and_all_does_without_both(CancellationToken token)
    {
        await ForwardAsync(token);
        await _lab.SendEverythingAsync(token);
        long open = await _lab.PassedAsync(token);
        Assert.That(open, Is.GreaterThanOrEqualTo(12), "six kinds over two versions: the lab shows what passes");

        await _lab.Gateway.RunAsync(token, "nft", "-f", Rules);
        string[] tcp = await _lab.SendEverythingAsync(token);
        Assert.That(await _lab.PassedAsync(token), Is.EqualTo(open), "by the rules");
        const string refused = "TCP [Errno 111] Connection refused";
        Assert.That(tcp, Is.EqualTo(new[] { refused, refused }), "nobody listens");

        await _lab.Gateway.RunAsync(token, "nft", "flush", "ruleset");
        await _lab.Gateway.RunAsync(token, "sysctl", "-q", "-p", Kernel);
        await _lab.SendEverythingAsync(token);
        Assert.That(await _lab.PassedAsync(token), Is.EqualTo(open), "by the kernel's settings");
    }

    [Test]
    public async Task TCP_and_DNS_of_both_versions_are_turned_here_and_only_what_is_named_is_let_in(CancellationToken token)
    {
        await ForwardAsync(token);
        await _lab.Gateway.RunAsync(token, "nft", "-f", Rules);
        await using var server = ForegroundProcess.Start(
        [
            .. _lab.Gateway.Under, ClientProcess.Require("python3"), "-c", """
                import socket, threading
                def serve(port, word, kind):
                    s = socket.socket(socket.AF_INET6, kind)
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(('::', port))
                    if kind == socket.SOCK_STREAM: s.listen()
                    print(f'ready {port}\n', end='', flush=True)
                    while True:
                        if kind == socket.SOCK_STREAM:
                            c, _ = s.accept(); c.sendall(word); c.close()
                        else:
                            _, peer = s.recvfrom(512); s.sendto(word, peer)
                for port, word, kind in ((1082, b'transparent', socket.SOCK_STREAM), (1053, b'dns', socket.SOCK_STREAM),
                        (1053, b'dns', socket.SOCK_DGRAM), (1080, b'proxy', socket.SOCK_STREAM), (22, b'ssh', socket.SOCK_STREAM),
                        (8080, b'other', socket.SOCK_STREAM), (9999, b'other', socket.SOCK_DGRAM)):
                    threading.Thread(target=serve, args=(port, word, kind)).start()
                """,
        ]);
        foreach (int port in (int[])[1082, 1053, 1080, 22, 8080, 9999])
            await server.WaitForLineAsync($"ready {port}", token);
        long before = await _lab.PassedAsync(token);
        string got = await _lab.Host.RunAsync(token, "python3", "-c", $$"""
            import socket
            def ask(kind, host, port):
                s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, kind)
                s.settimeout(1)
                try:
                    if kind == socket.SOCK_STREAM:
                        s.connect((host, port)); return s.recv(64).decode()
                    s.sendto(b'x', (host, port)); return s.recvfrom(64)[0].decode()
                except OSError as failure:
                    return type(failure).__name__
            T, U = socket.SOCK_STREAM, socket.SOCK_DGRAM
            for gateway, world in (('{{GatewayLab.GatewayAddress}}', '198.51.100.7'), ('{{GatewayLab.GatewayAddress6}}', '2001:db8::7')):
                print(*[ask(T, world, 443), ask(T, world, 22), ask(T, world, 1080), ask(T, world, 53), ask(U, world, 53),
                    ask(U, world, 9999), ask(T, gateway, 22), ask(T, gateway, 1080), ask(T, gateway, 53), ask(U, gateway, 53),
                    ask(T, gateway, 8080), ask(U, gateway, 9999), ask(U, gateway, 1053)])
            """);

        const string expected =
            "transparent transparent transparent dns dns TimeoutError ssh proxy dns dns transparent TimeoutError TimeoutError";
        Assert.That(got.Trim().Split('\n'), Is.EqualTo(new[] { expected, expected }), server.ToString());
        Assert.That(await _lab.PassedAsync(token), Is.EqualTo(before));

        // From the other side neither port can be had.
        string outside = await _lab.World.RunAsync(token, "python3", "-c", """
            import socket
            for port in (1082, 1053, 1080):
                s = socket.socket(); s.settimeout(1)
                try:
                    s.connect(('10.77.2.1', port)); print(port, 'open')
                except OSError as failure:
                    print(port, type(failure).__name__)
            """);
        Assert.That(outside.Trim().Split('\n'), Is.EqualTo(new[] { "1082 TimeoutError", "1053 TimeoutError", "1080 open" }));
    }

    [Test]
    public async Task Files_are_loaded_again_and_again_and_leave_other_tables_alone(CancellationToken token)
    {
        await _lab.Gateway.RunAsync(token, "nft", "add table inet others");
        for (int i = 0; i < 3; i++)
            await _lab.Gateway.RunAsync(token, "nft", "-f", Rules);
        string tables = await _lab.Gateway.RunAsync(token, "nft", "list", "tables");

        Assert.That(tables, Does.Contain("table inet others").And.Contain("table inet " + GatewayFiles.Table));
        Assert.That((await _lab.Gateway.RunAsync(token, "nft", "list", "ruleset")).Split("hook forward"), Has.Length.EqualTo(2));
    }

    [TestCase("", "0", "0", "")]
    [TestCase("flush ruleset", "0", "0", "Error gateway_rules: no rule that is loaded turns connections to its port 1082")]
    [TestCase("flush chain inet torbalancer_gateway forward", "1", "1",
        "Error gateway_forward: IPv4 from it is forwarded past this machine; Error gateway_forward: IPv6 from it is forwarded past")]
    [TestCase("flush chain inet torbalancer_gateway forward", "0", "0",
        "Warning gateway_forward: IPv4 from it would be forwarded past this machine: no rule drops it; "
            + "Warning gateway_forward: IPv6 from it would be forwarded past this machine: no rule drops it")]
    [TestCase("flush chain inet torbalancer_gateway forward; "
        + "add rule inet torbalancer_gateway forward meta nfproto ipv4 iifname lan0 drop", "1", "1",
        "Error gateway_forward: IPv6 from it is forwarded past; Warning gateway_forward: net.ipv4.ip_forward is on")]
    [TestCase("flush chain inet torbalancer_gateway forward; "
        + "add rule inet torbalancer_gateway forward iifname lan0 udp dport 443 drop", "0", "1",
        "Error gateway_forward: IPv6 from it is forwarded past this machine: table inet torbalancer_gateway, chain forward drops only; "
            + "Warning gateway_forward: IPv4 from it would be forwarded past this machine: table inet torbalancer_gateway, chain forward")]
    [TestCase("", "1", "0", "Warning gateway_forward: net.ipv4.ip_forward is on: should the rules be flushed")]
    [TestCase("flush chain inet torbalancer_gateway prerouting; "
        + "add rule inet torbalancer_gateway prerouting iifname lan0 meta l4proto tcp redirect to :1099", "0", "0",
        "Error gateway_rules: a rule turns its connections to port 1099; Error gateway_rules: no rule that is loaded turns connections; "
            + "Warning gateway_rules: no rule turns its DNS to port 1053")]
    [TestCase("insert rule inet torbalancer_gateway forward ip saddr 10.77.1.2 accept", "1", "0",
        "Error gateway_forward: IPv4 from it is forwarded past this machine: table inet torbalancer_gateway, chain forward accepts some")]
    [TestCase("insert rule inet torbalancer_gateway forward ct state established,related accept", "0", "0", "",
        Description = "nothing of it has begun")]
    [TestCase("insert rule inet torbalancer_gateway prerouting iifname lan0 ip saddr 10.77.1.9 accept", "0", "0",
        "Warning gateway_rules: not all of its DNS is turned to port 1053: a rule of table inet torbalancer_gateway, chain prerouting; "
            + "Warning gateway_rules: not all of its TCP is turned to port 1082: a rule of table inet torbalancer_gateway")]
    public async Task Doctor_finds_what_differs(string change, string forward4, string forward6, string expected, CancellationToken token)
    {
        await AssertFoundAsync(change, forward4, forward6, expected, token);
    }

    /// <summary>Other tables' chains are called too: what one of them drops is dropped, and what it accepts goes on to the next.</summary>
    [TestCase("flush chain inet torbalancer_gateway forward; CHAIN forward 0; policy drop; }", "1", "1",
        "Warning gateway_forward: net.ipv4.ip_forward is on; Warning gateway_forward: net.ipv6.conf.all.forwarding is on",
        Description = "their policy drops it")]
    [TestCase("flush chain inet torbalancer_gateway forward; CHAIN forward 0; policy drop; }; "
        + "add rule inet others c iifname lan0 oifname wan0 accept", "1", "0",
        "Error gateway_forward: IPv4 from it is forwarded past this machine: table inet others, chain c accepts some of it before; "
            + "Warning gateway_forward: IPv6 from it would be forwarded past this machine: table inet others, chain c accepts some of it")]
    [TestCase("flush chain inet torbalancer_gateway forward; CHAIN forward 0; policy drop; }; "
        + "add rule inet others c iifname wan0 accept; add rule inet others c ct state established,related accept; "
        + "add rule inet others c iifname { wan0, lo } oifname lan0 accept; add rule inet others c ip6 nexthdr tcp tcp dport 22 accept",
        "1", "0",
        "Warning gateway_forward: IPv6 from it would be forwarded past this machine: table inet others, chain c accepts some of it; "
            + "Warning gateway_forward: net.ipv4.ip_forward is on")]
    [TestCase("flush chain inet torbalancer_gateway forward; CHAIN forward 0; policy drop; }; add chain inet others lan; "
        + "add set inet others open { type inet_service; flags interval; elements = { 80, 440-450 }; }; "
        + "add rule inet others c ct state vmap { established : accept, related : accept, invalid : drop }; "
        + "add rule inet others c iifname vmap { lo : accept, lan0 : jump lan, wan0 : drop }; "
        + "add rule inet others lan tcp dport @open accept", "1", "1",
        "Error gateway_forward: IPv4 from it is forwarded past this machine: table inet others, chain c accepts some of it before; "
            + "Error gateway_forward: IPv6 from it is forwarded past this machine: table inet others, chain c accepts some of it before")]
    [TestCase("CHAIN forward -10; policy accept; }; add rule inet others c iifname lan0 accept", "0", "0", "",
        Description = "what they accept, our rules drop")]
    [TestCase("CHAIN input 10; policy drop; }; add rule inet others c ct state established,related accept; "
        + "add rule inet others c tcp dport { 22, 1080 } accept; add rule inet others c iifname lo accept", "0", "0",
        "Error gateway_rules: its DNS is turned to port 1053, and table inet others, chain c drops it there; "
            + "Error gateway_rules: its DNS is turned to port 1053, and table inet others, chain c drops it there; "
            + "Error gateway_rules: its TCP is turned to port 1082, and table inet others, chain c drops it there")]
    [TestCase("CHAIN input 10; policy drop; }; add rule inet others c iifname lan0 ip saddr 10.77.1.0/24 accept; "
        + "add rule inet others c iifname lan0 ip6 saddr fd77:1::/64 accept", "0", "0", "", Description = "they let it in")]
    [TestCase("CHAIN prerouting -200; policy accept; }; add rule inet others c iifname lan0 udp dport 53 drop", "0", "0",
        "Error gateway_rules: its DNS never comes to the rule that turns it to port 1053: table inet others, chain c drops it before")]
    [TestCase("add table inet others; add chain inet others c { type nat hook prerouting priority -150; }; "
        + "add rule inet others c iifname lan0 tcp dport 443 dnat ip to 10.77.2.2", "0", "0",
        "Error gateway_rules: some of its TCP over IPv4 does not come here: a rule of table inet others, chain c turns it to another "
            + "machine, 10.77.2.2")]
    [TestCase("flush chain inet torbalancer_gateway forward; "
        + "add table inet others; add chain inet others c { type nat hook prerouting priority -150; }; "
        + "add rule inet others c iifname lan0 tcp dport 443 dnat ip to 10.77.2.2:8443; "
        + "add rule inet others c iifname lan0 udp dport 53 dnat ip to 10.77.2.3; "
        + "add chain inet others c2 { type filter hook forward priority 0; policy drop; }; "
        + "add rule inet others c2 ct status dnat tcp dport 8443 accept", "1", "0",
        "Error gateway_rules: some of its DNS over IPv4 does not come here: a rule of table inet others, chain c turns it to another "
            + "machine, 10.77.2.3; "
            + "Error gateway_rules: some of its TCP over IPv4 does not come here: a rule of table inet others, chain c turns it to another "
            + "machine, 10.77.2.2, and it leaves outside Tor; "
            + "Warning gateway_forward: net.ipv4.ip_forward is on",
        Description = "what was turned is let through there, and nothing else")]
    [TestCase("add table inet others; add chain inet others c { type nat hook prerouting priority -150; }; "
        + "add rule inet others c iifname lan0 tcp flags & (fin|syn|rst|ack) == syn redirect to :1082", "0", "0", "")]
    [TestCase("add table inet others; add chain inet others c { type nat hook prerouting priority -150; }; "
        + "add rule inet others c iifname lan0 tcp dport 80 dnat ip to 10.77.1.1:1082", "0", "0", "",
        Description = "the gateway's own address")]
    [TestCase("add table inet others; add chain inet others c { type nat hook prerouting priority -150; }; "
        + "add rule inet others c tcp dport 443 redirect to :8443", "0", "0",
        "Error gateway_rules: a rule turns its connections to port 8443, where this configuration has neither")]
    [TestCase("add table inet others; add chain inet others c { type filter hook prerouting priority mangle; }; "
        + "add rule inet others c iifname lan0 fib daddr type local return; add rule inet others c iifname lan0 tcp dport 53 return; "
        + "add rule inet others c iifname lan0 meta nfproto ipv4 meta l4proto tcp tproxy ip to :1082 meta mark set 1 accept; "
        + "add rule inet others c iifname lan0 meta nfproto ipv6 meta l4proto tcp tproxy ip6 to :1082 meta mark set 1 accept; "
        + "insert rule inet torbalancer_gateway prerouting meta mark 1 accept; "
        + "insert rule inet torbalancer_gateway from_lan meta mark 1 accept",
        "0", "0", "", Description = "TPROXY as docs/gateway.md has it")]
    public async Task Doctor_reads_other_tables(
        string change, string forward4, string forward6, string expected, CancellationToken token)
    {
        const string chain = "add table inet others; add chain inet others c { type filter hook ";
        change = Regex.Replace(change, @"CHAIN (\w+) (-?\d+);", match => $"{chain}{match.Groups[1]} priority {match.Groups[2]};");
        await AssertFoundAsync(change, forward4, forward6, expected, token);
    }

    // What ufw and others begin with.
    private const string Established =
        "iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment \"a -j b\" -j ACCEPT";

    /// <summary>Of what iptables makes nft shows a part; what a match asks for, and where a target leads, iptables-save says.</summary>
    [TestCase("", "iptables -P INPUT DROP; " + Established + "; iptables -A INPUT -m conntrack --ctstate INVALID -j ACCEPT; "
        + "iptables -A INPUT -p tcp -m multiport --dports 22,1000:1050 -j ACCEPT", true,
        "Error gateway_rules: its DNS is turned to port 1053, and table ip filter, chain INPUT drops it there; "
            + "Error gateway_rules: its DNS is turned to port 1053, and table ip filter, chain INPUT drops it there; "
            + "Error gateway_rules: its TCP is turned to port 1082, and table ip filter, chain INPUT drops it there")]
    [TestCase("", "iptables -P INPUT DROP; " + Established + "; iptables -A INPUT -m addrtype ! --dst-type LOCAL -j DROP; "
        + "iptables -A INPUT -i lan0 -p tcp -m multiport --dports 1053,1080:1090 -j ACCEPT; "
        + "iptables -A INPUT -i lan0 -p udp -m conntrack --ctstate NEW -j ACCEPT", true, "", Description = "it is let in")]
    [TestCase("delete table inet torbalancer_gateway",
        "iptables -t nat -A PREROUTING -i lan0 -p udp --dport 53 -j REDIRECT --to-ports 1053; "
            + "iptables -t nat -A PREROUTING -i lan0 -p tcp -j REDIRECT --to-ports 1082; iptables -A FORWARD -i lan0 -j DROP", true,
        "Warning gateway_forward: IPv6 from it would be forwarded past this machine: no rule drops it")]
    [TestCase("delete table inet torbalancer_gateway",
        "iptables -t nat -A PREROUTING -i lan0 -p udp --dport 53 -j REDIRECT --to-ports 1053; "
            + "iptables -t nat -A PREROUTING -i lan0 -p tcp -j REDIRECT --to-ports 1099; iptables -A FORWARD -i lan0 -j DROP; "
            + "ip6tables -A FORWARD -i lan0 -j DROP", true,
        "Error gateway_rules: a rule turns its connections to port 1099; Error gateway_rules: no rule that is loaded turns connections")]
    [TestCase("delete table inet torbalancer_gateway",
        "iptables -t nat -A PREROUTING -i lan0 -p tcp -j REDIRECT --to-ports 1082; iptables -A FORWARD -i lan0 -j DROP; "
            + "ip6tables -A FORWARD -i lan0 -j DROP", false,
        "Note gateway_rules: a rule of table ip nat, chain PREROUTING turns some of it to a port that nft does not show; "
            + "Warning gateway_rules: no rule turns its DNS to port 1053",
        Description = "without iptables-save")]
    [TestCase("flush chain inet torbalancer_gateway prerouting",
        "iptables -t nat -A PREROUTING -i lan0 -p tcp --dport 80 -j DNAT --to-destination 10.77.2.2:8080; "
            + "iptables -t nat -A PREROUTING -i lan0 -p udp --dport 53 -j DNAT --to-destination 10.77.1.1:1053; "
            + "iptables -t nat -A PREROUTING -i lan0 -p tcp -j REDIRECT --to-ports 1082", true,
        "Error gateway_rules: some of its TCP over IPv4 does not come here: a rule of table ip nat, chain PREROUTING turns it to another "
            + "machine, 10.77.2.2:8080")]
    public async Task Doctor_reads_what_iptables_has_made(
        string change, string commands, bool isSaved, string expected, CancellationToken token)
    {
        ClientProcess.Require("iptables-nft");
        await AssertFoundAsync(change, "0", "0", expected, token, commands, isSaved);
    }

    private async Task AssertFoundAsync(
        string change, string forward4, string forward6, string expected, CancellationToken token, string commands = "",
        bool isSaved = false)
    {
        await _lab.Gateway.RunAsync(token, "nft", "flush", "ruleset");
        await _lab.Gateway.RunAsync(token, "nft", "-f", Rules);
        if (change.Length > 0)
            await _lab.Gateway.RunAsync(token, "nft", change);
        if (commands.Length > 0)
            await _lab.Gateway.RunAsync(token, "sh", "-ec", Regex.Replace(commands, "ip6?tables", "$0-nft"));
        var iptables = new Dictionary<(string, string, string), List<IptablesRule>>();
        foreach (string family in isSaved ? (string[])["ip", "ip6"] : [])
            IptablesRule.Read(await _lab.Gateway.RunAsync(token, family + "tables-nft-save"), family, iptables);
        string rules = await _lab.Gateway.RunAsync(token, "nft", "-j", "list", "ruleset");
        using var patient = new DoctorPatient
        {
            Configuration = await File.ReadAllTextAsync(Path.Combine(_lab.Directory, "out", "torbalancer.conf"), token),
            Change = patient => patient with { Firewall = new FirewallState(NftRuleset.Read(rules, IsGateways, iptables)) },
        };
        patient.Write(SystemFacts.Forward4, forward4 + "\n");
        patient.Write(SystemFacts.Forward6, forward6 + "\n");
        string[] found =
        [
            .. DoctorPatient.FindingsOf(await patient.ExamineAsync(token))
                .Where(static one => one.Check.StartsWith("gateway_", StringComparison.Ordinal))
                .Select(static one => $"{one.Finding.Severity} {one.Check}: {one.Finding.What}").Order(StringComparer.Ordinal),
        ];

        string[] wanted = expected.Split("; ", StringSplitOptions.RemoveEmptyEntries);
        Assert.That(found, Has.Length.EqualTo(wanted.Length), string.Join('\n', found));
        foreach (var (finding, beginning) in found.Zip(wanted))
            Assert.That(finding, Does.StartWith(beginning));
    }

    private static bool IsGateways(IPAddress address) =>
        IPAddress.IsLoopback(address) || address.ToString() is GatewayLab.GatewayAddress or GatewayLab.GatewayAddress6;

    /// <summary>A kernel that forwards everything, and no rules.</summary>
    private async Task ForwardAsync(CancellationToken token)
    {
        await _lab.Gateway.RunAsync(token, "nft", "flush", "ruleset");
        await _lab.Gateway.RunAsync(token, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    }
}
