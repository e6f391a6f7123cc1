using System.Globalization;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// What a gateway needs beside the daemon's configuration: rules that turn TCP and DNS of a network to the daemon and drop everything else
/// of it, and settings of the kernel. They stay when the daemon does not run, and then nothing passes.
/// </summary>
internal sealed class GatewayFiles(GatewayNetwork network)
{
    public const string Rules = "torbalancer-gateway.nft", Kernel = "90-torbalancer-gateway.conf";

    /// <summary>In nftables, of the family inet.</summary>
    public const string Table = "torbalancer_gateway";

    /// <summary>Where they belong.</summary>
    private const string RulesPath = $"/etc/torbalancer/{Rules}", KernelPath = $"/etc/sysctl.d/{Kernel}";

    private const int SshPort = 22, DhcpPort = 67;

    private string Open => network.ProxyPort is { } port ? Text($"{SshPort}, {port}") : Text($"{SshPort}");

    private string Opened => network.ProxyPort is null ? "ssh" : "ssh, and the proxy with /proxy.pac and /wpad.dat";

    /// <summary>The sections of torbalancer.conf for what the rules turn here.</summary>
    public string Sections() => Text($"""

        ; ---- The network behind {network.Interface}: {Rules} turns its TCP and DNS here. Its hosts know of no proxy.
        [Listener:lan]
        Address = [::]:{GatewayNetwork.TransparentPort}
        Protocols = transparent
        AllowFrom = 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, fc00::/7, fe80::/10

        [Dns]
        Address = [::]:{GatewayNetwork.DnsPort}
        AllowFrom = 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, fc00::/7, fe80::/10
        ; Out of these come the addresses that stand for .onion names: name others where the network, or one beside it, has some of them.
        ;VirtualAddresses = 10.192.0.0/10, fc00::/8

        """);

    /// <summary>The table for nft -f. Loading it again replaces it, at once.</summary>
    public string RulesText() => Text($$"""
        # Made by: torbalancer init --gateway {{network.Interface}}. To {{RulesPath}}; README.txt has the rest.
        # TCP and DNS of the network behind {{network.Interface}} go to torbalancer, and nothing else of it goes anywhere.
        # The rules do not ask whether the daemon runs: while it does not, nothing passes.
        define lan = "{{network.Interface}}"

        table inet {{Table}}
        delete table inet {{Table}}
        table inet {{Table}} {
            # What hosts of the network may reach on this machine itself: {{Opened}}; DHCP.
            set open_tcp {
                type inet_service
                elements = { {{Open}} }
            }
            set open_udp {
                type inet_service
                elements = { {{DhcpPort}} }
            }

            # In front of other tables' rules: the first one that turns a connection has it.
            chain prerouting {
                type nat hook prerouting priority dstnat - 5; policy accept;
                iifname $lan fib daddr type local tcp dport @open_tcp return
                iifname $lan meta l4proto { tcp, udp } th dport 53 redirect to :{{GatewayNetwork.DnsPort}}
                iifname $lan meta l4proto tcp redirect to :{{GatewayNetwork.TransparentPort}}
            }

            chain input {
                type filter hook input priority filter; policy accept;
                iifname $lan jump from_lan
                iifname != "lo" tcp dport { {{GatewayNetwork.DnsPort}}, {{GatewayNetwork.TransparentPort}} } drop
                iifname != "lo" udp dport {{GatewayNetwork.DnsPort}} drop
            }

            chain from_lan {
                ct state established,related accept
                ct status dnat tcp dport { {{GatewayNetwork.DnsPort}}, {{GatewayNetwork.TransparentPort}} } accept
                ct status dnat udp dport {{GatewayNetwork.DnsPort}} accept
                tcp dport @open_tcp accept
                udp dport @open_udp accept
                # Who asks for the transparent port by its number was not turned here: refused, soon.
                tcp dport {{GatewayNetwork.TransparentPort}} reject with tcp reset
                # Without these a host cannot find this machine by IPv6.
                icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
                counter drop
            }

            # UDP, QUIC, ICMP, IPv6 and whatever else: nothing is forwarded, in neither direction.
            chain forward {
                type filter hook forward priority filter; policy accept;
                iifname $lan counter drop
                oifname $lan counter drop
            }
        }

        """);

    /// <summary>Lines for sysctl(8). With slashes, because a dot may be a part of the interface's name.</summary>
    public string KernelText() => Text($"""
        # Made by: torbalancer init --gateway {network.Interface}. To {KernelPath}; then: sysctl -p {KernelPath}
        # What the rules turn ends on this machine, so it forwards nothing: should the rules be flushed, nothing passes either.
        net/ipv4/ip_forward = 0
        net/ipv6/conf/all/forwarding = 0
        # Packets of the network have its addresses.
        net/ipv4/conf/{network.Interface}/rp_filter = 1
        net/ipv4/conf/{network.Interface}/route_localnet = 0

        """);

    public string ReadMe() => Text($"""

        A gateway for the network behind {network.Interface}

          {Rules}      to {RulesPath}
          {Kernel}  to {KernelPath}

        1. Rules and kernel first: from then on nothing of the network passes this machine but ssh, DHCP and the proxy to it.
             nft -f {RulesPath}
             sysctl -p {KernelPath}
           So that they are there before the network is, at each start: add the line
             include "{RulesPath}"
           to /etc/nftables.conf, and systemctl enable nftables
        2. The daemon: torbalancer check, systemctl restart torbalancer
        3. Hosts take {network.Interface}'s address of this machine as their router and DNS server (your DHCP server tells them).
        4. torbalancer doctor, as root, compares the rules that are loaded with the configuration.

        Programs that hosts reach on this machine itself are in the sets open_tcp and open_udp of {Rules}.
        {(network.ProxyPort is { } port
            ? Text($"Browsers that ask for their proxy find it at http://ADDRESS:{port}/wpad.dat (DHCP option 252, \"auto-proxy-url\").")
            : "The proxy's own port is on loopback: hosts of the network cannot use it.")}

        """);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
