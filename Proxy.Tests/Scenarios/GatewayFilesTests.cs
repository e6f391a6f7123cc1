using System.Runtime.Versioning;
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
        "Warning gateway_forward: no rule drops IPv4; Warning gateway_forward: no rule drops IPv6")]
    [TestCase("flush chain inet torbalancer_gateway forward; "
        + "add rule inet torbalancer_gateway forward meta nfproto ipv4 iifname lan0 drop", "1", "1",
        "Error gateway_forward: IPv6 from it is forwarded past; Warning gateway_forward: net.ipv4.ip_forward is on")]
    [TestCase("flush chain inet torbalancer_gateway forward; "
        + "add rule inet torbalancer_gateway forward iifname lan0 udp dport 443 drop", "0", "1",
        "Error gateway_forward: IPv6 from it is forwarded past; Warning gateway_forward: no rule drops IPv4")]
    [TestCase("", "1", "0", "Warning gateway_forward: net.ipv4.ip_forward is on: should the rules be flushed")]
    [TestCase("flush chain inet torbalancer_gateway prerouting; "
        + "add rule inet torbalancer_gateway prerouting iifname lan0 meta l4proto tcp redirect to :1099", "0", "0",
        "Error gateway_rules: a rule turns its connections to port 1099; Error gateway_rules: no rule that is loaded turns connections; "
            + "Warning gateway_rules: no rule turns its DNS to port 1053")]
    public async Task Doctor_finds_what_differs(string change, string forward4, string forward6, string expected, CancellationToken token)
    {
        await _lab.Gateway.RunAsync(token, "nft", "flush", "ruleset");
        await _lab.Gateway.RunAsync(token, "nft", "-f", Rules);
        if (change.Length > 0)
            await _lab.Gateway.RunAsync(token, "nft", change);
        string rules = await _lab.Gateway.RunAsync(token, "nft", "-j", "list", "ruleset");
        using var patient = new DoctorPatient
        {
            Configuration = await File.ReadAllTextAsync(Path.Combine(_lab.Directory, "out", "torbalancer.conf"), token),
            Change = patient => patient with { Firewall = new FirewallState(NftRule.Read(rules)) },
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

    /// <summary>A kernel that forwards everything, and no rules.</summary>
    private async Task ForwardAsync(CancellationToken token)
    {
        await _lab.Gateway.RunAsync(token, "nft", "flush", "ruleset");
        await _lab.Gateway.RunAsync(token, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    }
}
