using TorBalancer.Daemon.Commands;

namespace TorBalancer.Daemon.Doctor.Checks;

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

/// <summary>Where the rules that are loaded turn what comes from each interface that they name.</summary>
internal sealed class GatewayWays
{
    /// <summary>What hosts connect to most: the web, and DNS.</summary>
    public const int Web = 443, Dns = 53;

    // The first port from here on that no rule names stands for the others.
    private const int FirstOther = 40000;

    public GatewayWays(NftRuleset rules, IReadOnlyCollection<int> known)
    {
        int other = Enumerable.Range(FirstOther, rules.TurnedPorts.Count + 1).First(port => !rules.TurnedPorts.Contains(port));
        int[] asked = [.. rules.TurnedPorts.Union([Web, Dns, other])];
        foreach (string device in rules.Devices.Append(""))
        {
            foreach (int version in (int[])[4, 6])
            {
                foreach (int port in asked)
                {
                    All.AddRange(Turned(rules, new NftPacket(device, version, "tcp", port)));
                    All.AddRange(Turned(rules, new NftPacket(device, version, "udp", port)));
                }
            }
        }

        // A rule that asks for no interface, or for another one than some, is no sign that the network is behind the one at hand.
        var anywhere = All.Where(static one => one.Device.Length == 0)
            .Select(static one => (one.Version, one.Protocol, one.Asked, one.Port, one.Chain)).ToHashSet();
        Served =
        [
            .. All.Where(one => one.Device.Length > 0 && (known.Contains(one.Port) || one.Chain.Table == GatewayFiles.Table)
                    && !anywhere.Contains((one.Version, one.Protocol, one.Asked, one.Port, one.Chain)))
                .Select(static one => one.Device).Distinct(StringComparer.Ordinal),
        ];
    }

    /// <summary>All that is turned, by interface, version and port.</summary>
    public List<TurnedPackets> All { get; } = [];

    /// <summary>Interfaces whose connections are turned to the configuration's ports, or to wrong ones by a table of ours.</summary>
    public IReadOnlyList<string> Served { get; }

    private static IEnumerable<TurnedPackets> Turned(NftRuleset rules, NftPacket packet)
    {
        NftChain? dropper = null;
        foreach (var passage in rules.Pass(NftHook.Prerouting, packet))
        {
            if (passage.Always(NftFate.Drop))
                dropper ??= passage.Chain;
            foreach (var end in passage.Ends.Where(static end => end.Fate == NftFate.Turn))
            {
                yield return new TurnedPackets(
                    packet.Device, packet.Version, packet.Protocol!, packet.Port!.Value, end.Port, passage.Chain,
                    passage.Ends.Count == 1, dropper);
            }

            // The first rule that turns a connection has it.
            if (passage.Always(NftFate.Turn))
                yield break;
        }
    }
}
