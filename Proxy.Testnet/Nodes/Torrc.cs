using System.Globalization;
using System.Text;

namespace TorBalancer.Testnet.Nodes;

/// <summary>
/// The configuration of each node. TestingTorNetwork sets most of what a small network needs (tor(1) lists it); the rest
/// was found by measuring, and the reasons stand beside it.
/// </summary>
/// <param name="plan">The network.</param>
/// <param name="authorityLines">The DirAuthority lines.</param>
/// <param name="votingOffset">Seconds past each full interval at which consensuses are made.</param>
internal sealed class Torrc(TestNetworkPlan plan, IReadOnlyList<string> authorityLines, int votingOffset)
{
    /// <summary>How long before a consensus its vote begins: the vote delay and the distribution delay.</summary>
    public static readonly TimeSpan VotingTime = TimeSpan.FromSeconds(4);

    /// <summary>What any tor needs to be part of the network, clients included.</summary>
    public IReadOnlyList<string> Common =>
    [
        "TestingTorNetwork 1",
        "AssumeReachable 1",
        "PathsNeededToBuildCircuits 0.25",
        .. authorityLines,

        // The safety catch: a socket that is bound to a loopback address cannot connect to any other (EINVAL, no packet).
        "OutboundBindAddress 127.0.0.1",
        "ShutdownWaitLength 0",
        "AvoidDiskWrites 1",
        "NumCPUs 1",
        $"GeoIPFile {plan.EmptyFile}",
        $"GeoIPv6File {plan.EmptyFile}",
    ];

    /// <summary><see cref="Common"/> and what a client of this network needs besides.</summary>
    public IReadOnlyList<string> Client =>
    [
        .. Common,
        "ClientOnly 1",
        "ClientDNSRejectInternalAddresses 0",
        "ClientRejectInternalAddresses 0",
        "AutomapHostsOnResolve 1",
        "VirtualAddrNetworkIPv4 10.192.0.0/10",

        // On loopback the learned timeout falls to 60 ms, and circuits then fail under any load.
        "LearnCircuitBuildTimeout 0",
        "CircuitBuildTimeout 10",
    ];

    public string Render(TestNode node)
    {
        IReadOnlyList<string> role = node.Role switch
        {
            TestNodeRole.Authority => [.. Relay(node), .. Authority(node)],
            TestNodeRole.Relay => [.. Relay(node), "ExitRelay 0", "ExitPolicy reject *:*"],
            TestNodeRole.Exit => [.. Relay(node), .. Exit(node)],
            TestNodeRole.Worker => [.. Client, .. Worker(node)],
            _ => [.. Client, .. OnionService()],
        };
        var text = new StringBuilder();
        foreach (string line in (IEnumerable<string>)[.. Process(node), .. role])
            text.Append(line).Append('\n');
        return text.ToString();
    }

    private static string[] Process(TestNode node) =>
    [
        $"DataDirectory {node.Directory}",
        $"ControlSocket {node.ControlPath}",
        "CookieAuthentication 1",
        $"CookieAuthFile {node.CookiePath}",

        // A file to read afterwards, and stdout for the message of a start that fails.
        $"Log notice file {node.LogPath}",
        "Log notice stdout",

        // However we end, it ends too: tor looks every 15 s whether we are still there.
        Line($"__OwningControllerProcess {System.Environment.ProcessId}"),
    ];

    private string[] Relay(TestNode node) =>
    [
        .. Common,
        $"Nickname {node.Name}",
        $"Address {node.Address}",
        .. OrPorts(node),
        "SocksPort 0",
        "PublishServerDescriptor 1",

        // Without it every cache diffs each consensus against all it ever saw: 70 % of a core after a quarter of an hour.
        "MaxConsensusAgeForDiffs 3 minutes",
    ];

    /// <summary>One to be reached at, and one to listen on, when a forwarder of ours stands between the two.</summary>
    private static string[] OrPorts(TestNode node) => node.HiddenOrPort == 0
        ? [Line($"ORPort {node.Address}:{node.OrPort} IPv4Only")]
        :
        [
            Line($"ORPort {node.Address}:{node.OrPort} IPv4Only NoListen"),
            Line($"ORPort {node.Address}:{node.HiddenOrPort} IPv4Only NoAdvertise"),
        ];

    private string[] Authority(TestNode node) =>
    [
        "AuthoritativeDirectory 1",
        "V3AuthoritativeDirectory 1",
        Line($"DirPort 127.0.0.1:{node.DirPort}"),
        "ExitRelay 0",
        "ExitPolicy reject *:*",

        // One grid for the first vote and all others. It is moved while they run, so that the first consensus comes as
        // soon as everybody has uploaded: one that lacks relays would stand for a whole interval.
        Line($"V3AuthVotingInterval {plan.VotingInterval}"),
        "V3AuthVoteDelay 2",
        "V3AuthDistDelay 2",
        "V3AuthNIntervalsValid 3",
        Line($"TestingV3AuthInitialVotingInterval {plan.VotingInterval}"),
        "TestingV3AuthInitialVoteDelay 2",
        "TestingV3AuthInitialDistDelay 2",
        Line($"TestingV3AuthVotingStartOffset {votingOffset}"),

        // Relays and nobody else are guards, exits and nobody else are exits: tests know who does what.
        $"TestingDirAuthVoteGuard {Fingerprints(plan.Relays)}",
        "TestingDirAuthVoteGuardIsStrict 1",
        $"TestingDirAuthVoteExit {Fingerprints(plan.Exits)}",
        "TestingDirAuthVoteExitIsStrict 1",
        "TestingDirAuthVoteHSDir *",
        "TestingMinExitFlagThreshold 0",
        "TestingMinFastFlagThreshold 0",
        "MinUptimeHidServDirectoryV2 0",
        $"V3BandwidthsFile {plan.BandwidthsFile}",
    ];

    private string[] Exit(TestNode node) =>
    [
        "ExitRelay 1",
        $"IPv6Exit {(plan.SpeaksIPv6 ? 1 : 0)}",
        "ExitPolicyRejectPrivate 0",
        "ExitPolicy reject *:25",
        .. node == plan.Exits[0] && plan.Exits.Count > 1 ? (string[])[Line($"ExitPolicy reject *:{TestNetwork.PortOfOtherExits}")] : [],
        $"ExitPolicy reject {Dns.TestZone.BlockedAddress}/32:*",
        "ExitPolicy accept 127.0.0.0/8:*",

        // Nothing outside can be reached all the same. The summary of ports that clients go by ignores a policy that
        // accepts private addresses only.
        "ExitPolicy accept *:*",
        "OutboundBindAddressExit 127.0.0.1",

        // Other relays know it by this address; also one of loopback, so it catches as well.
        $"OutboundBindAddressOR {node.Address}",
        $"ServerDNSResolvConfFile {plan.ResolvConf(plan.Exits.Index().First(e => e.Item == node).Index)}",
        "ServerDNSDetectHijacking 0",
        "ServerDNSTestAddresses",
        "ServerDNSAllowBrokenConfig 1",
        "ServerDNSSearchDomains 0",
    ];

    private static string[] Worker(TestNode node) =>
    [
        Line($"SocksPort 127.0.0.1:{node.SocksPort} ExtendedErrors"),
        Line($"SocksPort 127.0.0.1:{node.PlainSocksPort}"),
        Line($"DNSPort 127.0.0.1:{node.DnsPort}"),
    ];

    private string[] OnionService() =>
    [
        "SocksPort 0",
        $"HiddenServiceDir {plan.HiddenServiceDirectory}",
        Line($"HiddenServicePort 80 127.0.0.1:{plan.OriginPort}"),
    ];

    private static string Fingerprints(IEnumerable<TestNode> nodes) => string.Join(',', nodes.Select(n => "$" + n.Fingerprint));

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
