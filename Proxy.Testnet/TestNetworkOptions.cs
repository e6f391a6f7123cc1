using System.Globalization;

namespace TorBalancer.Testnet;

/// <summary>What a test network is to consist of.</summary>
internal sealed record TestNetworkOptions
{
    /// <summary>Longest directory name: the control sockets below it must fit into a sockaddr_un (108 bytes).</summary>
    public const int MaxDirectoryLength = 80;

    /// <summary>Beyond it steps of the start would need more than their time.</summary>
    public static readonly TimeSpan MaxLatency = TimeSpan.FromMilliseconds(500);

    /// <summary>Where everything lives; must not exist or be empty. Null: a fresh one below the runtime or temporary directory.</summary>
    public string? Directory { get; init; }

    /// <summary>Directory authorities. Default 3, 1 to 9.</summary>
    public int Authorities { get; init; } = 3;

    /// <summary>Relays that may be guards and middles. Default 5, 3 to 32.</summary>
    public int Relays { get; init; } = 5;

    /// <summary>Exits. Default 3, 1 to 16.</summary>
    public int Exits { get; init; } = 3;

    /// <summary>Tor clients with a SocksPort. Default 4, 1 to 32.</summary>
    public int Workers { get; init; } = 4;

    /// <summary>
    /// Names lead to 198.51.100.K (RFC 5737) at exit K instead of 127.0.31.K, and those that have an IPv6 address to 2001:db8:80::K, for
    /// what treats loopback addresses apart; exits then speak IPv6. Whoever sets it makes these addresses lead to the origin, in a network
    /// namespace of its own.
    /// </summary>
    public bool DocumentationAddresses { get; init; }

    /// <summary>
    /// How far relays and exits are away, one way. Default zero, up to <see cref="MaxLatency"/>. Authorities are not: they only vote.
    /// </summary>
    public TimeSpan Latency { get; init; }

    /// <summary>
    /// Time between consensuses, in whole seconds. Default 60 s, 10 s to 5 min. Time periods of onion services last 24 of them. Less costs
    /// processor time all along.
    /// </summary>
    public TimeSpan VotingInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Path of tor; null: searched in PATH and the system's directories.</summary>
    public string? TorPath { get; init; }

    /// <summary>
    /// How long any one step of the start may take. Default 90 s: room for a second vote. All of them together usually take 20 s.
    /// </summary>
    public TimeSpan StepTimeout { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>Throws <see cref="TestNetworkException"/> for a number out of range.</summary>
    public void Validate()
    {
        Check("authorities", Authorities, 1, 9);
        Check("relays", Relays, 3, 32);
        Check("exits", Exits, 1, 16);
        Check("workers", Workers, 1, 32);
        if (VotingInterval < TimeSpan.FromSeconds(10) || VotingInterval > TimeSpan.FromMinutes(5))
        {
            throw new TestNetworkException(string.Create(
                CultureInfo.InvariantCulture, $"{VotingInterval.TotalSeconds} s between consensuses: 10 to 300 are possible"));
        }

        if (Latency < TimeSpan.Zero || Latency > MaxLatency)
        {
            throw new TestNetworkException(string.Create(
                CultureInfo.InvariantCulture,
                $"a latency of {Latency.TotalMilliseconds:0.###} ms: 0 to {MaxLatency.TotalMilliseconds} ms are possible"));
        }
    }

    private static void Check(string what, int value, int least, int most)
    {
        if (value < least || value > most)
            throw new TestNetworkException(string.Create(CultureInfo.InvariantCulture, $"{value} {what}: {least} to {most} are possible"));
    }
}
