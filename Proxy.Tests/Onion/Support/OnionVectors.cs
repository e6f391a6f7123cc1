using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Tests.Architecture;

namespace TorBalancer.Tests.Onion.Support;

/// <summary>What onionbalance 0.2.2 and stem 1.8.1 computed: Vectors/vectors.json, made by make-vectors.py beside it.</summary>
internal static class OnionVectors
{
    public static readonly JsonNode All = JsonNode.Parse(Repository.Text("Proxy.Tests/Onion/Vectors/vectors.json"))!;

    public static JsonNode Balanced => All["balanced"]!;

    public static DateTimeOffset BalancedNow => DateTimeOffset.FromUnixTimeSeconds(Balanced["now"]!.GetValue<long>());

    public static TimePeriod BalancedPeriod => new(Balanced["number"]!.GetValue<ulong>(), 1440);

    public static IdentityKey BalancedIdentity => IdentityKey.FromSeed(Balanced.Bytes("seed"));

    public static string Text(this JsonNode node, string name) => node[name]!.GetValue<string>();

    public static byte[] Bytes(this JsonNode node, string name) => Convert.FromHexString(node.Text(name));

    public static Bytes32 Bytes32(this JsonNode node, string name) => new(node.Bytes(name));

    public static TimePeriod Period(this JsonNode node) => new(node["number"]!.GetValue<ulong>(), node["length"]!.GetValue<ulong>());

    public static OnionServiceAddress Address(string text) =>
        OnionServiceAddress.TryParse(text, out var address, out string? error) ? address : throw new ArgumentException(error);

    /// <summary>The consensus that the script makes for a term, and the microdescriptors that it has for it.</summary>
    public static NetworkConsensus Consensus(JsonNode entry)
    {
        int relays = entry["relays"]!.GetValue<int>();
        long validAfter = entry["validAfter"]!.GetValue<long>(), interval = entry["interval"]!.GetValue<long>();
        var all = All["relays"]!.AsArray().Take(relays)
            .Select(static one => (Lines: one![0]!.GetValue<string>(), Micro: one[1]!.GetValue<string>()));
        var text = new StringBuilder("network-status-version 3 microdesc\n");
        text.Append(CultureInfo.InvariantCulture, $"valid-after {Time(validAfter)}\nfresh-until {Time(validAfter + interval)}\n");
        text.Append(CultureInfo.InvariantCulture, $"valid-until {Time(validAfter + (3 * interval))}\n");
        if (entry["hasSharedRandom"]!.GetValue<bool>())
        {
            text.Append(CultureInfo.InvariantCulture, $"shared-rand-previous-value 9 {Random("previous")}\n");
            text.Append(CultureInfo.InvariantCulture, $"shared-rand-current-value 9 {Random("current")}\n");
        }

        text.AppendJoin("", all.Select(static one => one.Lines)).Append("directory-footer\n");
        string known = string.Concat(all.Where(static (_, i) => i % 13 != 6).Select(static one => one.Micro));
        return ConsensusReader.TryRead(text.ToString(), Microdescriptors.Read(known), out var consensus, out string? error)
            ? consensus
            : throw new ArgumentException(error);

        static string Time(long seconds) =>
            DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

        static string Random(string label) => Convert.ToBase64String(Shake256.HashData(Encoding.ASCII.GetBytes(label), 32));
    }
}
