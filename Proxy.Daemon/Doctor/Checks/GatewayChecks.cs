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
        if (firewall.Rules is not { } rules)
        {
            yield return Finding.Note(
                "nftables", $"the rules that are loaded cannot be seen ({firewall.Problem}): whether anything passes is not known",
                "call this as root: sudo torbalancer doctor");
            yield break;
        }

        var turning = rules.Where(static rule => rule is { Hook: NftHook.Prerouting, Turns: not null }).ToList();
        foreach (var listener in patient.Options.Listeners.Where(IsTransparent))
        {
            int port = ((IPEndPoint)listener.Address).Port;
            if (!turning.Exists(rule => rule.Turns == port && rule.IsOfProtocol("tcp")))
            {
                yield return Finding.Error(
                    $"[Listener:{listener.Name}]", Text($"no rule that is loaded turns connections to its port {port}: it serves nobody"),
                    Load);
            }
        }

        // Of interfaces that are served: others' rules are their own business.
        int[] known = [.. Ports(patient)];
        var served = Served(patient, rules);
        foreach (var rule in turning.Where(
            rule => rule is { Turns: { } port, Interface: { } device } && !known.Contains(port) && served.Contains(device)))
        {
            yield return Finding.Error(
                rule.Interface ?? "nftables",
                Text($"a rule turns its connections to port {rule.Turns}")
                    + ", where this configuration has neither a transparent listener nor DNS",
                Text($"make them the same: the ports of the configuration are {string.Join(", ", known)}; then {Load}"));
        }

        foreach (string device in served)
        {
            if (patient.Options.Dns.Address is { Port: var dns } && !turning.Exists(
                rule => rule.Turns == dns && rule.Interface == device && rule.IsOfProtocol("udp")))
            {
                yield return Finding.Warning(
                    device, Text($"no rule turns its DNS to port {dns}: hosts that ask another server get no answer"), Load);
            }
        }
    }

    /// <summary>What would be forwarded past us.</summary>
    public static IEnumerable<Finding> Past(Patient patient)
    {
        if (patient.Firewall?.Rules is not { } rules)
            yield break;
        var served = Served(patient, rules);
        if (served.Count == 0 && rules.Any(static rule => rule.Turns is not null))
        {
            yield return Finding.Warning(
                "nftables", "no rule says by name which interface the network is behind: whether anything of it passes is not known", Load);
        }

        foreach (string device in served)
        {
            foreach (var (version, setting) in new[] { (4, SystemFacts.Forward4), (6, SystemFacts.Forward6) })
            {
                bool forwards = patient.System.Number(setting) is > 0;
                bool drops = rules.Any(
                    rule => rule is { Hook: NftHook.Forward, Drops: true, IsConditional: false, Protocols.Count: 0, Ports.Count: 0 }
                        && rule.IsOfVersion(version) && (rule.Interface is null || rule.Interface == device));
                string key = setting["proc/sys/".Length..].Replace('/', '.');
                if (!drops && forwards)
                {
                    yield return Finding.Error(
                        device,
                        Text($"IPv{version} from it is forwarded past this machine: no rule drops it, and {key} is on")
                            + ". UDP and all else that is not turned here leaves outside Tor",
                        Text($"{Load}; and sysctl -w {key}=0"));
                }
                else if (!drops)
                {
                    yield return Finding.Warning(
                        device, Text($"no rule drops IPv{version} that would be forwarded from it: only {key} = 0 keeps it here"), Load);
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

    private static bool IsTransparent(ListenerOptions listener) =>
        listener.Protocols.HasFlag(ListenerProtocols.Transparent) && listener.Address is IPEndPoint { Port: > 0 };

    /// <summary>Where the configuration has somebody for what is turned.</summary>
    private static IEnumerable<int> Ports(Patient patient) =>
    [
        .. patient.Options.Listeners.Where(IsTransparent).Select(static listener => ((IPEndPoint)listener.Address).Port),
        .. patient.Options.Dns.Address is { Port: > 0 and var dns } ? (int[])[dns] : [],
    ];

    /// <summary>
    /// The interfaces whose connections are turned to this configuration's ports, or to the wrong ones by a table of ours.
    /// </summary>
    private static List<string> Served(Patient patient, IReadOnlyList<NftRule> rules)
    {
        int[] ports = [.. Ports(patient)];
        return
        [
            .. rules.Where(rule => rule is { Hook: NftHook.Prerouting, Turns: { } port, Interface: not null }
                    && (ports.Contains(port) || rule.Table == GatewayFiles.Table))
                .Select(static rule => rule.Interface!).Distinct(StringComparer.Ordinal),
        ];
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
