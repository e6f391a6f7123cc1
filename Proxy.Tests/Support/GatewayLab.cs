using System.Globalization;
using System.Text.Json;
using TorBalancer.Processes;

namespace TorBalancer.Tests.Support;

/// <summary>A host, a gateway and what is beyond it, each in a network namespace of its own, with IPv4 and IPv6 on both cables.</summary>
/// <remarks>
/// <code>
///   lan ──(lan0)── gateway ──(wan0)── world
/// </code>
/// The host's router is the gateway, and the gateway's is the world; both could reach each other if the gateway forwarded.
/// </remarks>
internal sealed class GatewayLab : IAsyncDisposable
{
    public const string HostAddress = "10.77.1.2", GatewayAddress = "10.77.1.1", WorldAddress = "10.77.2.2";
    public const string HostAddress6 = "fd77:1::2", GatewayAddress6 = "fd77:1::1", WorldAddress6 = "fd77:2::2";

    // What comes to the world from the host's network, whatever it is.
    private const string Count = """
        table inet count {
            chain prerouting {
                type filter hook prerouting priority raw; policy accept;
                ip saddr 10.77.1.0/24 counter
                ip6 saddr fd77:1::/64 counter
            }
        }
        """;

    private readonly Stack<IAsyncDisposable> _parts = new();

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("tbg").FullName;

    public NetworkNamespace Host { get; private set; } = null!;

    public NetworkNamespace Gateway { get; private set; } = null!;

    public NetworkNamespace World { get; private set; } = null!;

    /// <summary>Skips the calling test where namespaces cannot be made.</summary>
    public static async Task<GatewayLab> StartAsync(CancellationToken token)
    {
        foreach (string program in (string[])["ip", "nft", "python3"])
        {
            if (Executables.Find(program) is null)
                Assert.Ignore($"skipped: {program} is not installed");
        }

        var lab = new GatewayLab();
        try
        {
            await lab.MakeAsync(token);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Packets of the host's network that have come to the world.</summary>
    public async Task<long> PassedAsync(CancellationToken token)
    {
        using var rules = JsonDocument.Parse(await World.RunAsync(token, "nft", "-j", "list", "table", "inet", "count"));
        long packets = 0;
        foreach (var item in rules.RootElement.GetProperty("nftables").EnumerateArray())
        {
            if (item.TryGetProperty("rule", out var rule))
            {
                packets += rule.GetProperty("expr").EnumerateArray()
                    .Where(static part => part.TryGetProperty("counter", out _))
                    .Sum(static part => part.GetProperty("counter").GetProperty("packets").GetInt64());
            }
        }

        return packets;
    }

    /// <summary>
    /// The host sends the world a packet of each kind, over both versions: ICMP, UDP (QUIC, NTP, another port), ESP and TCP. What becomes
    /// of TCP, in the words of the kernel, IPv4 first.
    /// </summary>
    public async Task<string[]> SendEverythingAsync(CancellationToken token)
    {
        string sent = await Host.RunAsync(token, "python3", "-c", $$"""
            import socket
            for family, world in ((socket.AF_INET, '{{WorldAddress}}'), (socket.AF_INET6, '{{WorldAddress6}}')):
                for port in (443, 123, 4500):
                    s = socket.socket(family, socket.SOCK_DGRAM)
                    s.sendto(b'x', (world, port))
                # An echo request, and ESP for another protocol.
                icmp = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
                echo = bytes((8, 0, 0xf7, 0xff, 0, 0, 0, 0) if family == socket.AF_INET else (128, 0, 0, 0, 0, 0, 0, 0))
                for protocol, message in ((icmp, echo), (50, b'x' * 16)):
                    raw = socket.socket(family, socket.SOCK_RAW, protocol)
                    raw.sendto(message, (world, 0))
                t = socket.socket(family, socket.SOCK_STREAM)
                t.settimeout(3)
                try:
                    t.connect((world, 80))
                    print('TCP connected', t.recv(64).decode())
                except OSError as failure:
                    print('TCP', failure)
            """);
        return [.. sent.Split('\n').Where(static line => line.StartsWith("TCP ", StringComparison.Ordinal))];
    }

    public async ValueTask DisposeAsync()
    {
        while (_parts.TryPop(out var part))
            await part.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private async Task MakeAsync(CancellationToken token)
    {
        string ip = Executables.Find("ip")!;
        string prefix = string.Create(CultureInfo.InvariantCulture, $"tbg{Environment.ProcessId}");
        var made = await ProgramRun.RunAsync(ip, ["netns", "add", prefix], token);
        if (made.ExitCode != 0)
            Assert.Ignore($"skipped: network namespaces are not permitted here: {made.Error.Trim()}");
        _parts.Push(new NetworkNamespace(prefix));
        Host = await AddAsync(prefix + "h", token);
        Gateway = await AddAsync(prefix + "g", token);
        World = await AddAsync(prefix + "w", token);
        await Gateway.ConnectAsync("lan0", GatewayAddress + "/24", Host, "eth0", HostAddress + "/24", token);
        await Gateway.ConnectAsync("wan0", "10.77.2.1/24", World, "eth0", WorldAddress + "/24", token);
        await Address6Async(Gateway, "lan0", GatewayAddress6, token);
        await Address6Async(Host, "eth0", HostAddress6, token);
        await Address6Async(Gateway, "wan0", "fd77:2::1", token);
        await Address6Async(World, "eth0", WorldAddress6, token);
        await RouteAsync(Host, GatewayAddress, GatewayAddress6, token);
        await RouteAsync(Gateway, WorldAddress, WorldAddress6, token);
        await RouteAsync(World, "10.77.2.1", "fd77:2::1", token);
        await World.LoadRulesAsync(Path.Combine(Directory, "count.nft"), Count, token);
    }

    private async Task<NetworkNamespace> AddAsync(string name, CancellationToken token)
    {
        var made = await NetworkNamespace.CreateAsync(name, token);
        _parts.Push(made);
        await made.RunAsync(token, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0",
            "net.ipv6.conf.lo.disable_ipv6=0");
        return made;
    }

    private static Task Address6Async(NetworkNamespace space, string device, string address, CancellationToken token) =>
        space.RunAsync(token, "ip", "addr", "add", address + "/64", "dev", device, "nodad");

    private static async Task RouteAsync(NetworkNamespace space, string router, string router6, CancellationToken token)
    {
        await space.RunAsync(token, "ip", "route", "add", "default", "via", router);
        await space.RunAsync(token, "ip", "-6", "route", "add", "default", "via", router6);
    }
}
