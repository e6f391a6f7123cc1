using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Network;

/// <summary>Where the directories stand in one time period, and which of them keep a service's descriptor (rend-spec-v3, 2.2.3).</summary>
internal sealed class HashRing
{
    private readonly TimePeriod _period;
    private readonly Bytes32[] _places;
    private readonly DirectoryRelay[] _relays;

    public HashRing(IReadOnlyList<DirectoryRelay> directories, TimePeriod period, Bytes32 sharedRandom)
    {
        _period = period;
        using var hash = new Sha3();
        _relays = [.. directories];

        // hsdir_index = SHA3-256("node-idx" | identity | SRV | INT_8(number) | INT_8(length))
        _places = [.. _relays.Select(
            relay => hash.Add("node-idx"u8).Add(relay.Identity).Add(sharedRandom).Add(period.Number).Add(period.Length).Finish())];
        Array.Sort(_places, _relays);
    }

    /// <summary>
    /// The directories that keep the descriptor of a blinded key: for each replica those that follow its place, none twice. Fewer when
    /// the network has not that many.
    /// </summary>
    public IReadOnlyList<ResponsibleDirectory> Responsible(Bytes32 blindedKey, int replicas, int spread)
    {
        var found = new List<ResponsibleDirectory>();
        var taken = new HashSet<DirectoryRelay>();
        using var hash = new Sha3();
        for (int replica = 1; replica <= replicas; replica++)
        {
            // hs_index = SHA3-256("store-at-idx" | blinded key | INT_8(replica) | INT_8(length) | INT_8(number))
            var place = hash.Add("store-at-idx"u8).Add(blindedKey).Add((ulong)replica).Add(_period.Length).Add(_period.Number).Finish();
            int start = Array.BinarySearch(_places, place);
            if (start < 0)
                start = ~start;
            int rank = 0;
            for (int step = 0; step < _relays.Length && rank < spread; step++)
            {
                var relay = _relays[(start + step) % _relays.Length];
                if (taken.Add(relay))
                    found.Add(new ResponsibleDirectory(relay, replica, rank++));
            }
        }

        return found;
    }
}

/// <summary>A directory that keeps a descriptor.</summary>
/// <param name="Replica">From 1.</param>
/// <param name="Rank">How far from the replica's place, from 0; clients ask those below hsdir_spread_fetch.</param>
internal sealed record ResponsibleDirectory(DirectoryRelay Relay, int Replica, int Rank);
