using System.Globalization;
using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Commands;

namespace TorBalancer.Daemon.Doctor.Checks;

/// <summary>The rules of a gateway, beside what the configuration says of it.</summary>
internal static class GatewayChecks
{
    private const string Load = "nft -f /etc/torbalancer/" + GatewayFiles.Rules + "; torbalancer init --gateway INTERFACE writes it";

    /// <summary>Whether the configuration is a gateway's: one has a listener that the kernel turns connections to.</summary>
    public static bool IsGateway(TorBalancerOptions options) => options.Listeners.Any(IsTransparent);

    /// <summary>Rules that turn connections here, to where somebody is.</summary>
    public static IEnumerable<Finding> Turned(Patient patient)
    {
        if (patient.Firewall is not { } firewall)
            yield break;
        if (firewall is not { Rules: { } rules, Ways: { } ways })
        {
            yield return Finding.Note(
                "nftables", $"the rules that are loaded cannot be seen ({firewall.Problem}): whether anything passes is not known",
                "call this as root: sudo torbalancer doctor");
            yield break;
        }

        int[] known = [.. Ports(patient)];
        foreach (var listener in patient.Options.Listeners.Where(IsTransparent))
        {
            int port = ((IPEndPoint)listener.Address).Port;
            if (!ways.All.Exists(way => (way.Port == port || way.Port == 0) && way.Protocol == "tcp"))
            {
                yield return Finding.Error(
                    $"[Listener:{listener.Name}]", Text($"no rule that is loaded turns connections to its port {port}: it serves nobody"),
                    Load);
            }
        }

        foreach (string device in ways.Served(known))
        {
            var own = ways.All.FindAll(way => way.Device == device);
            foreach (var finding in Elsewhere(patient, rules, ways.Away.FindAll(one => one.Packet.Device == device)).Distinct())
                yield return finding;
            foreach (var chain in own.Where(static way => way.Port == 0).Select(static way => way.Chain).Distinct())
            {
                yield return Finding.Note(
                    device,
                    Text($"a rule of {chain} turns some of it to a port that nft does not show: whether somebody is there is not known"),
                    Text($"compare it with {string.Join(", ", known)}: iptables -t nat -S, ip6tables -t nat -S"));
            }

            foreach (int port in own.Select(static way => way.Port).Where(port => port > 0 && !known.Contains(port)).Distinct())
            {
                yield return Finding.Error(
                    device,
                    Text($"a rule turns its connections to port {port}")
                        + ", where this configuration has neither a transparent listener nor DNS",
                    Text($"make them the same: the ports of the configuration are {string.Join(", ", known)}; then {Load}"));
            }

            foreach (var finding in own.Where(way => known.Contains(way.Port)).SelectMany(way => Obstacles(rules, way)).Distinct())
                yield return finding;
            if (patient.Options.Dns.Address is { Port: > 0 and var dns }
                && !own.Exists(way => (way.Port == dns || way.Port == 0) && way is { Protocol: "udp", Asked: GatewayWays.Dns }))
            {
                yield return Finding.Warning(
                    device, Text($"no rule turns its DNS to port {dns}: hosts that ask another server get no answer"), Load);
            }
        }
    }

    /// <summary>What would be forwarded past us.</summary>
    public static IEnumerable<Finding> Past(Patient patient)
    {
        if (patient.Firewall is not { Rules: { } rules, Ways: { } ways })
            yield break;
        var served = ways.Served([.. Ports(patient)]);
        if (served.Count == 0 && ways.All.Count > 0)
        {
            yield return Finding.Warning(
                "nftables", "no rule says by name which interface the network is behind: whether anything of it passes is not known", Load);
        }

        foreach (string device in served)
        {
            foreach (var (version, setting) in new[] { (4, SystemFacts.Forward4), (6, SystemFacts.Forward6) })
            {
                bool forwards = patient.System.Number(setting) is > 0;
                string? gap = Gap(rules, new NftPacket(device, version));
                string key = setting["proc/sys/".Length..].Replace('/', '.');
                if (gap is not null && forwards)
                {
                    yield return Finding.Error(
                        device,
                        Text($"IPv{version} from it is forwarded past this machine: {gap}, and {key} is on")
                            + ". UDP and all else that is not turned here leaves outside Tor",
                        Text($"{Load}; and sysctl -w {key}=0"));
                }
                else if (gap is not null)
                {
                    yield return Finding.Warning(
                        device, Text($"IPv{version} from it would be forwarded past this machine: {gap}, and only {key} = 0 keeps it here"),
                        Load);
                }
                else if (forwards)
                {
                    yield return Finding.Warning(
                        device, Text($"{key} is on: should the rules be flushed, IPv{version} from it passes this machine outside Tor"),
                        Text($"sysctl -w {key}=0, and the same in /etc/sysctl.d, unless this machine routes for others too"));
                }
            }
        }
    }

    /// <summary>What goes to other machines, by the rule that sends it there; whether it gets there is said as well.</summary>
    private static IEnumerable<Finding> Elsewhere(Patient patient, NftRuleset rules, IEnumerable<SentAway> away)
    {
        foreach (var group in away.GroupBy(static one => (one.Chain, one.To, one.Packet.Version, one.Packet.Protocol)))
        {
            var (chain, to, version, protocol) = group.Key;
            bool forwards = patient.System.Number(version == 4 ? SystemFacts.Forward4 : SystemFacts.Forward6) is > 0;
            bool passes = forwards && group.Any(one => Gap(rules, one.Packet) is not null);
            string what = protocol == "tcp" ? "TCP" : group.All(static one => one.Asked == GatewayWays.Dns) ? "DNS" : "UDP";
            yield return Finding.Error(
                group.First().Packet.Device,
                Text($"some of its {what} over IPv{version} does not come here: a rule of {chain} turns it to another machine, {to}")
                    + (passes ? ", and it leaves outside Tor" : ""),
                Text($"take that rule out, or put it behind those that turn it here: nft -a list chain {chain.Family} {chain.Table} ")
                    + chain.Name);
        }
    }

    /// <summary>What is in the way of packets that a rule turns here, before that rule and behind it.</summary>
    private static IEnumerable<Finding> Obstacles(NftRuleset rules, TurnedPackets way)
    {
        string what = way.Protocol == "tcp" && way.Asked != GatewayWays.Dns ? "TCP" : "DNS";
        if (way.Dropper is { } dropper)
        {
            yield return Finding.Error(
                way.Device, Text($"its {what} never comes to the rule that turns it to port {way.Port}: {dropper} drops it before"),
                Text($"take that rule out: nft -a list chain {dropper.Family} {dropper.Table} {dropper.Name}"));
        }
        else if (!way.IsWhole && way.Asked is GatewayWays.Web or GatewayWays.Dns)
        {
            yield return Finding.Warning(
                way.Device, Text($"not all of its {what} is turned to port {way.Port}: a rule of {way.Chain} lets some of it go before"),
                Text($"put what accepts or returns behind it, or take it out: nft -a list chain {way.Chain.Family} {way.Chain.Table} ")
                    + way.Chain.Name);
        }

        // What TPROXY turns keeps the port that it goes to.
        if (!way.Chain.IsNat)
            yield break;
        var packet = new NftPacket(way.Device, way.Version, way.Protocol, way.Port, IsTurned: true);
        foreach (var (chain, _) in rules.Pass(NftHook.Input, packet).Where(static one => one.Always(NftFate.Drop)))
        {
            yield return Finding.Error(
                way.Device, Text($"its {what} is turned to port {way.Port}, and {chain} drops it there"),
                Text($"nft insert rule {chain.Family} {chain.Table} {chain.Name} iifname {way.Device} ")
                    + Text($"{way.Protocol} dport {way.Port} accept, and the same where that chain is made"));
        }
    }

    /// <summary>Why packets may be forwarded, in words; null: a chain drops them all.</summary>
    private static string? Gap(NftRuleset rules, NftPacket packet)
    {
        var forward = rules.Pass(NftHook.Forward, packet).ToList();
        if (forward.Exists(static one => one.Always(NftFate.Drop)))
            return null;
        if (forward.Find(static one => one.Sometimes(NftFate.Drop)) is not { } some)
            return "no rule drops it";
        return some.Ends[^1].Fate == NftFate.Drop
            ? $"{some.Chain} accepts some of it before it drops the rest" : $"{some.Chain} drops only some of it";
    }

    private static bool IsTransparent(ListenerOptions listener) =>
        listener.Protocols.HasFlag(ListenerProtocols.Transparent) && listener.Address is IPEndPoint { Port: > 0 };

    /// <summary>Where the configuration has somebody for what is turned.</summary>
    private static IEnumerable<int> Ports(Patient patient) =>
    [
        .. patient.Options.Listeners.Where(IsTransparent).Select(static listener => ((IPEndPoint)listener.Address).Port),
        .. patient.Options.Dns.Address is { Port: > 0 and var dns } ? (int[])[dns] : [],
    ];

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
