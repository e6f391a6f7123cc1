using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Network;

/// <summary>What publishing needs of a consensus (dir-spec, 3.4.1).</summary>
internal sealed record NetworkConsensus
{
    // REASONABLY_LIVE_TIME of tor.
    private static readonly TimeSpan ReasonablyLive = TimeSpan.FromHours(24);

    public required DateTimeOffset ValidAfter { get; init; }

    public required DateTimeOffset FreshUntil { get; init; }

    public required DateTimeOffset ValidUntil { get; init; }

    /// <summary>The consensus parameters that are set.</summary>
    public required IReadOnlyDictionary<string, long> Parameters { get; init; }

    /// <summary>The shared random value of the last run; null when there is none.</summary>
    public required Bytes32? CurrentSharedRandom { get; init; }

    /// <summary>That of the run before.</summary>
    public required Bytes32? PreviousSharedRandom { get; init; }

    /// <summary>Those who keep onion descriptors.</summary>
    public required IReadOnlyList<DirectoryRelay> Directories { get; init; }

    /// <summary>Others that would, but whose microdescriptor, and so their place, is not known. Beyond a few, the ring is wrong.</summary>
    public required int DirectoriesWithoutIdentity { get; init; }

    /// <summary>In seconds: 3,600 on the public network.</summary>
    public long VotingInterval => (FreshUntil - ValidAfter).Ticks / TimeSpan.TicksPerSecond;

    /// <summary>How many sets of directories keep each descriptor.</summary>
    public int Replicas => (int)Parameter("hsdir_n_replicas", 2, 1, 16);

    /// <summary>How many directories of each set get it from the service.</summary>
    public int SpreadStore => (int)Parameter("hsdir_spread_store", 4, 1, 128);

    /// <summary>How many directories of each set clients ask.</summary>
    public int SpreadFetch => (int)Parameter("hsdir_spread_fetch", 3, 1, 128);

    /// <summary>Directories and clients refuse descriptors of this size, in bytes, and above.</summary>
    public int MaxDescriptorSize => (int)Parameter("HSV3MaxDescriptorSize", 50_000, 1, int.MaxValue);

    /// <summary>A parameter, brought into its range as tor does; its default when it is not set.</summary>
    public long Parameter(string name, long defaultValue, long min, long max) =>
        Math.Clamp(Parameters.TryGetValue(name, out long value) ? value : defaultValue, min, max);

    /// <summary>True when tor would still build circuits by it: at most a day before or past the time that it is valid for.</summary>
    public bool IsReasonablyLive(DateTimeOffset now) => now >= ValidAfter - ReasonablyLive && now <= ValidUntil + ReasonablyLive;
}
