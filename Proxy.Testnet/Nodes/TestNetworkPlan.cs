using System.Globalization;
using System.Net;

namespace TorBalancer.Testnet.Nodes;

/// <summary>Who is in the network, where each lives and which ports are whose; fixed before anything starts.</summary>
internal sealed class TestNetworkPlan
{
    private readonly bool _documentationAddresses;

    private TestNetworkPlan(string directory, IReadOnlyList<TestNode> nodes, PortBlock ports, TestNetworkOptions options)
    {
        _documentationAddresses = options.DocumentationAddresses;
        Latency = options.Latency;
        VotingInterval = (int)options.VotingInterval.TotalSeconds;
        Directory = directory;
        Nodes = nodes;
        OriginPort = ports.Next();
        EchoPort = ports.Next();
        ClosedPort = ports.Next();
        DnsPorts = Enumerable.Range(0, options.Exits).Select(_ => ports.Next()).ToArray();
        Authorities = Of(TestNodeRole.Authority);
        Relays = Of(TestNodeRole.Relay);
        Exits = Of(TestNodeRole.Exit);
        Workers = Of(TestNodeRole.Worker);
        OnionService = Of(TestNodeRole.OnionService)[0];
    }

    public string Directory { get; }

    /// <summary>How far relays and exits are away, one way.</summary>
    public TimeSpan Latency { get; }

    /// <summary>Seconds between consensuses.</summary>
    public int VotingInterval { get; }

    /// <summary>All, in the order in which they are to start.</summary>
    public IReadOnlyList<TestNode> Nodes { get; }

    public IReadOnlyList<TestNode> Authorities { get; }

    public IReadOnlyList<TestNode> Relays { get; }

    public IReadOnlyList<TestNode> Exits { get; }

    public IReadOnlyList<TestNode> Workers { get; }

    public TestNode OnionService { get; }

    public int OriginPort { get; }

    public int EchoPort { get; }

    /// <summary>Ours, and nobody listens on it.</summary>
    public int ClosedPort { get; }

    /// <summary>The name servers' ports (UDP), one an exit.</summary>
    public IReadOnlyList<int> DnsPorts { get; }

    /// <summary>Stands in for tor's GeoIP files: a faster start, less memory.</summary>
    public string EmptyFile => Path.Combine(Directory, "empty");

    public string BandwidthsFile => Path.Combine(Directory, "bandwidths");

    public string HiddenServiceDirectory => Path.Combine(OnionService.Directory, "service");

    public static TestNetworkPlan Create(TestNetworkOptions options, string directory, PortBlock ports)
    {
        var nodes = new List<TestNode>();
        bool isFar = options.Latency > TimeSpan.Zero;
        Add(TestNodeRole.Authority, "a", options.Authorities);
        Add(TestNodeRole.Relay, "r", options.Relays);
        Add(TestNodeRole.Exit, "e", options.Exits);
        Add(TestNodeRole.Worker, "worker-", options.Workers);
        nodes.Add(new TestNode { Name = "onion", Role = TestNodeRole.OnionService, Directory = Path.Combine(directory, "onion") });
        return new TestNetworkPlan(directory, nodes, ports, options);

        void Add(TestNodeRole role, string prefix, int count)
        {
            bool worker = role == TestNodeRole.Worker;
            for (int i = 1; i <= count; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{prefix}{i:00}");
                nodes.Add(new TestNode
                {
                    Name = name,
                    Role = role,
                    Directory = Path.Combine(directory, name),
                    Address = role == TestNodeRole.Exit ? new IPAddress([127, 0, 32, (byte)i]) : IPAddress.Loopback,
                    OrPort = worker ? 0 : ports.Next(),
                    HiddenOrPort = isFar && role is (TestNodeRole.Relay or TestNodeRole.Exit) ? ports.Next() : 0,
                    DirPort = role == TestNodeRole.Authority ? ports.Next() : 0,
                    SocksPort = worker ? ports.Next() : 0,
                    PlainSocksPort = worker ? ports.Next() : 0,
                    DnsPort = worker ? ports.Next() : 0,
                });
            }
        }
    }

    /// <summary>Where names lead at exit number <paramref name="index"/> (from 0).</summary>
    public IPAddress NameAddress(int index) =>
        _documentationAddresses ? new IPAddress([198, 51, 100, (byte)(index + 1)]) : ExitAddress(index);

    /// <summary>The same of names that have an IPv6 address; null: loopback.</summary>
    public IPAddress? NameAddress6(int index) =>
        SpeaksIPv6 ? new IPAddress([0x20, 1, 0x0d, 0xb8, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)(index + 1)]) : null;

    /// <summary>
    /// Whether exits go to IPv6 addresses. Where the network is not on loopback alone only: nothing binds them to loopback's.
    /// </summary>
    public bool SpeaksIPv6 => _documentationAddresses;

    /// <summary>
    /// Where the origin listens for those that come through exit number <paramref name="index"/> (from 0): 127.0.31.1 and up.
    /// </summary>
    public static IPAddress ExitAddress(int index) => new([127, 0, 31, (byte)(index + 1)]);

    /// <summary>The name server of exit number <paramref name="index"/>.</summary>
    public IPEndPoint DnsEndPoint(int index) => new(IPAddress.Loopback, DnsPorts[index]);

    /// <summary>The file that tells exit number <paramref name="index"/> its name server.</summary>
    public string ResolvConf(int index) => Path.Combine(Exits[index].Directory, "resolv.conf");

    private TestNode[] Of(TestNodeRole role) => Nodes.Where(n => n.Role == role).ToArray();
}
