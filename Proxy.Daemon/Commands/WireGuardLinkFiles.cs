using System.Globalization;
using System.Net;
using System.Text;

namespace TorBalancer.Daemon.Commands;

/// <summary>The files of one worker and its link. Worker I has the link NETWORK.I.0/24: we are .1 on it, the worker is .2.</summary>
internal sealed class WireGuardLinkFiles(WireGuardPlan plan, int number)
{
    // Where the worker keeps its firewall: beside the link's own file, which loads it.
    private const string FirewallPath = "/etc/wireguard/torbalancer.nft";

    private const int SocksPort = 9050, TransPort = 9040, DnsPort = 5353, FirstTable = 9000;

    private readonly IPEndPoint _endpoint = plan.Endpoints[number - 1];

    private string Id => Text($"worker-{number:00}");

    private string HostInterface => Text($"wg-tor{number:00}");

    // Not the host's name: wireguard-go keeps a socket for each name, shared by all network namespaces of a machine.
    private string WorkerInterface => Text($"wg-hub{number:00}");

    private string HostAddress => Text($"{plan.Network}.{number}.1");

    private string WorkerAddress => Text($"{plan.Network}.{number}.2");

    private int Table => FirstTable + number;

    private string HostConf => $"host/{HostInterface}.conf";

    private string WorkerConf => $"{Id}/{WorkerInterface}.conf";

    public IReadOnlyList<string> Paths => [HostConf, WorkerConf, $"{Id}/torrc", $"{Id}/torbalancer.nft"];

    public IEnumerable<(string Path, string Text)> Render(WireGuardKeyPair host, WireGuardKeyPair worker) =>
    [
        (HostConf, Host(host, worker)), (WorkerConf, Worker(host, worker)), ($"{Id}/torrc", Torrc()), ($"{Id}/torbalancer.nft", Firewall()),
    ];

    public static string WorkersConf(IEnumerable<WireGuardLinkFiles> links)
    {
        var text = new StringBuilder("""
            ; Sections for torbalancer.conf, one for each worker behind a WireGuard link.
            ; Made by: torbalancer init --wireguard

            [Route]
            ; auto: over the link where a worker has one. wireguard: never by another way.
            Clearnet = auto

            ; The links carry IPv4. IPv6 targets go by the SocksPort (auto) or nowhere (wireguard).

            """);
        foreach (var link in links)
        {
            text.Append('\n').Append(Text($"""
                [Worker:{link.Id}]
                Address = {link.WorkerAddress}
                SocksPort = {SocksPort}
                WgInterface = {link.HostInterface}
                WgHostAddress = {link.HostAddress}
                WgWorkerAddress = {link.WorkerAddress}
                ; Names over the link instead of by the SocksPort: A and AAAA, with their time to live, but one circuit for everybody.
                ;DnsPort = {DnsPort}
                ; Needs the right to do so: root, or a polkit rule for this unit.
                ;ReconnectCommand = systemctl restart wg-quick@{link.HostInterface}

                """));
        }

        return text.ToString();
    }

    public static string ReadMe(IReadOnlyList<WireGuardLinkFiles> links)
    {
        var text = new StringBuilder("""
            Made by: torbalancer init --wireguard. The .conf files of WireGuard hold private keys.

            On the host of TorBalancer
              host/wg-torNN.conf        to /etc/wireguard, then: systemctl enable --now wg-quick@wg-torNN
              torbalancer.workers.conf  its sections into torbalancer.conf

            On each worker, in this order
              torbalancer.nft           to /etc/wireguard; the link loads it before it comes up, and does not come up without.
                                        Where nftables.service loads /etc/nftables.conf, which flushes all rules, add at its end:
                                        include "/etc/wireguard/torbalancer.nft"
              wg-hubNN.conf             to /etc/wireguard, then: systemctl enable --now wg-quick@wg-hubNN
              torrc                     to /etc/tor/torrc; tor must start after the link, because it listens on its address
              UDP port of WireGuard     open in the worker's outer firewall

            The links carry IPv4 only: IPv6 targets take the SocksPort, or are refused where a route says wireguard.

            Then: wg show, and torbalancer check

            Workers

            """);
        foreach (var link in links)
        {
            string ours = $"{link.HostInterface} {link.HostAddress}", theirs = $"{link.WorkerAddress} {link.WorkerInterface}";
            text.Append(Text($"  {link.Id}  {link._endpoint}  {ours} - {theirs}\n"));
        }

        return text.ToString();
    }

    /// <summary>
    /// The daemon binds to the interface. The rule and the table are for others that bind to the address only: without the
    /// link their packets have nowhere to go, instead of the default route.
    /// </summary>
    private string Host(WireGuardKeyPair host, WireGuardKeyPair worker) => Text($"""
        # {Id}, the host's end. To /etc/wireguard/{HostInterface}.conf on the host of TorBalancer.
        [Interface]
        PrivateKey = {host.Private}
        Address = {HostAddress}/24
        MTU = 1420
        # No route of the system leads here: only what is bound to this link takes it.
        Table = off
        # Before the address stands, and until it is gone. Each line may find what an interface that was deleted left behind.
        PreUp = ip route replace unreachable default metric 9999 table {Table}
        PreUp = ip rule del from {HostAddress} lookup {Table} priority {Table} 2>/dev/null || true
        PreUp = ip rule add from {HostAddress} lookup {Table} priority {Table}
        PostUp = ip route replace default dev %i table {Table}
        PostDown = ip rule del from {HostAddress} lookup {Table} priority {Table} || true
        PostDown = ip route flush table {Table} || true

        [Peer]
        PublicKey = {worker.Public}
        Endpoint = {_endpoint}
        AllowedIPs = 0.0.0.0/0
        PersistentKeepalive = 25

        """);

    private string Worker(WireGuardKeyPair host, WireGuardKeyPair worker) => Text($"""
        # {Id}, the worker's end. To /etc/wireguard/{WorkerInterface}.conf on the worker.
        [Interface]
        PrivateKey = {worker.Private}
        Address = {WorkerAddress}/24
        ListenPort = {_endpoint.Port}
        MTU = 1420
        # The firewall first: when it cannot be loaded, wg-quick stops here and there is no link.
        PreUp = nft -f {FirewallPath}
        # Should it be flushed later, nothing from the link is routed on past tor.
        PostUp = sysctl -q -w net.ipv4.conf.%i.forwarding=0

        [Peer]
        PublicKey = {host.Public}
        AllowedIPs = {HostAddress}/32

        """);

    private string Torrc() => Text($"""
        # {Id}. tor listens on the link only, so nobody else reaches these ports.
        ClientOnly 1

        # Onion services, names, and whatever has to be kept apart: TorBalancer sends a token as user name and password.
        SocksPort {WorkerAddress}:{SocksPort} IsolateSOCKSAuth ExtendedErrors
        SocksPolicy accept {HostAddress}
        SocksPolicy reject *

        # Everything else that comes over the link. tor sees one address for all clients here, so it keeps nobody apart, unless
        # IsolateDestAddr (a circuit for each target, which costs the network a lot) is added.
        TransPort {WorkerAddress}:{TransPort} IsolateClientAddr

        # For DnsPort in [Worker:{Id}]; and plain DNS on the link ends here instead of leaving.
        DNSPort {WorkerAddress}:{DnsPort}

        # A worker that nobody used for a day is still to answer at once.
        DormantTimeoutEnabled 0

        """);

    private string Firewall() => Text($$"""
        # {{Id}}: what comes over the link goes to tor or nowhere. To {{FirewallPath}} on the worker. Loading it again replaces it.
        table inet torbalancer
        delete table inet torbalancer
        table inet torbalancer {
            chain prerouting {
                type nat hook prerouting priority dstnat; policy accept;
                iifname "{{WorkerInterface}}" ip daddr {{WorkerAddress}} accept
                iifname "{{WorkerInterface}}" udp dport 53 redirect to :{{DnsPort}}
                iifname "{{WorkerInterface}}" meta l4proto tcp redirect to :{{TransPort}}
            }
            chain input {
                type filter hook input priority filter; policy accept;
                iifname "{{WorkerInterface}}" ip daddr {{WorkerAddress}} tcp dport { {{SocksPort}}, {{TransPort}} } accept
                iifname "{{WorkerInterface}}" ip daddr {{WorkerAddress}} udp dport {{DnsPort}} accept
                iifname "{{WorkerInterface}}" ct state established,related accept
                iifname "{{WorkerInterface}}" icmp type echo-request accept
                iifname "{{WorkerInterface}}" drop
            }
            chain forward {
                type filter hook forward priority filter; policy accept;
                iifname "{{WorkerInterface}}" drop
                oifname "{{WorkerInterface}}" drop
            }
        }

        """);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
