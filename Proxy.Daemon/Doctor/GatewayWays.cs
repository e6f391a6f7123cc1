using TorBalancer.Daemon.Commands;

namespace TorBalancer.Daemon.Doctor;

/// <summary>Where rules turn packets of one kind.</summary>
/// <param name="Device">What they come in by; empty: an interface that no rule names.</param>
/// <param name="Version">4 or 6.</param>
/// <param name="Protocol">tcp or udp.</param>
/// <param name="Asked">The port that they go to.</param>
/// <param name="Port">The port of this machine that they are turned to; 0: rules do not show it.</param>
/// <param name="Chain">Whose rule it is.</param>
/// <param name="IsWhole">All of them are; else a rule before it, or the rule itself, leaves some out.</param>
/// <param name="Dropper">The chain that drops them before; null: none does.</param>
internal sealed record TurnedPackets(
    string Device, int Version, string Protocol, int Asked, int Port, NftChain Chain, bool IsWhole, NftChain? Dropper);

/// <summary>Packets of one kind that rules send on to another machine.</summary>
/// <param name="Packet">As it is behind that rule.</param>
/// <param name="Asked">The port that it went to before.</param>
/// <param name="To">The other machine, in words.</param>
/// <param name="Chain">Whose rule it is.</param>
internal sealed record SentAway(NftPacket Packet, int Asked, string To, NftChain Chain);

/// <summary>
/// Where the rules that are loaded turn what comes from each interface that they name. Made once: with some thousand rules each packet
/// takes its time.
/// </summary>
internal sealed class GatewayWays
{
    /// <summary>What hosts connect to most: the web, and DNS.</summary>
    public const int Web = 443, Dns = 53;

    // The first port from here on that no rule names stands for the others.
    private const int FirstOther = 40000;

    public GatewayWays(NftRuleset rules)
    {
        int other = Enumerable.Range(FirstOther, rules.TurnedPorts.Count + 1).First(port => !rules.TurnedPorts.Contains(port));
        int[] asked = [.. rules.TurnedPorts.Union([Web, Dns, other])];
        foreach (string device in rules.Devices.Append(""))
        {
            foreach (int version in (int[])[4, 6])
            {
                foreach (int port in asked)
                {
                    Follow(rules, new NftPacket(device, version, "tcp", port));
                    Follow(rules, new NftPacket(device, version, "udp", port));
                }
            }
        }
    }

    /// <summary>All that is turned here, by interface, version and port.</summary>
    public List<TurnedPackets> All { get; } = [];

    /// <summary>What is turned to other machines instead.</summary>
    public List<SentAway> Away { get; } = [];

    /// <summary>
    /// Interfaces whose connections are turned to ports of the configuration or to ones that rules do not show, or to wrong ones by a table
    /// of ours.
    /// </summary>
    /// <param name="known">The configuration's ports.</param>
    public IReadOnlyList<string> Served(IReadOnlyCollection<int> known)
    {
        // A rule that asks for no interface, or for another one than some, is no sign that the network is behind the one at hand.
        var anywhere = All.Where(static one => one.Device.Length == 0)
            .Select(static one => (one.Version, one.Protocol, one.Asked, one.Port, one.Chain)).ToHashSet();
        return
        [
            .. All.Where(one => one.Device.Length > 0
                    && (one.Port == 0 || known.Contains(one.Port) || one.Chain.Table == GatewayFiles.Table)
                    && !anywhere.Contains((one.Version, one.Protocol, one.Asked, one.Port, one.Chain)))
                .Select(static one => one.Device).Distinct(StringComparer.Ordinal),
        ];
    }

    private void Follow(NftRuleset rules, NftPacket packet)
    {
        NftChain? dropper = null;
        foreach (var passage in rules.Pass(NftHook.Prerouting, packet))
        {
            if (passage.Always(NftFate.Drop))
                dropper ??= passage.Chain;
            foreach (var end in passage.Ends.Where(static end => end.Fate == NftFate.Turn))
            {
                All.Add(new TurnedPackets(
                    packet.Device, packet.Version, packet.Protocol!, packet.Port!.Value, end.Port, passage.Chain,
                    passage.Ends.Count == 1, dropper));
            }

            foreach (var end in passage.Ends.Where(end => end.Fate == NftFate.Away && dropper is null))
            {
                var behind = packet with { Port = end.Port > 0 ? end.Port : null, IsSentAway = true };
                Away.Add(new SentAway(behind, packet.Port!.Value, end.To!, passage.Chain));
            }

            // The first rule that turns a connection has it.
            if (passage.Diverts)
                return;
        }
    }
}
