using System.Globalization;
using System.Text.Json;

namespace TorBalancer.Daemon.Doctor;

/// <summary>
/// Whether what a rule asks for is so of a packet: true, false, or null where it asks for what is not known of the packet, or in a way that
/// is not known here.
/// </summary>
/// <param name="packet">The one that is asked about.</param>
/// <param name="setOf">The elements of a named set or map of the rule's table; null: it is not known.</param>
internal sealed class NftMatcher(NftPacket packet, Func<string, JsonElement?> setOf)
{
    private static readonly string[] Transports = ["tcp", "udp", "th", "udplite", "sctp", "dccp"];

    /// <summary>A rule has set a mark, which may be any; else the packet has none.</summary>
    public bool IsMarked { get; set; }

    /// <summary>The elements of a named set or map; null: they are not known.</summary>
    public JsonElement? SetOf(string name) => setOf(name);

    /// <summary>The statement "match".</summary>
    public bool? Fits(JsonElement match)
    {
        var left = NftJson.Member(match, "left");
        var right = NftJson.Member(match, "right");
        if (IsAbsent(left))
            return false;
        if (NftFlags.AreAskedBy(left))
            return NftFlags.Fit(left, NftJson.Text(match, "op"), right, setOf);
        return NftJson.Text(match, "op") switch
        {
            "==" or "in" => Has(left, right),
            "!=" => !Has(left, right),
            "<" => Compare(left, right) is { } order ? order < 0 : null,
            ">" => Compare(left, right) is { } order ? order > 0 : null,
            "<=" => Compare(left, right) is { } order ? order <= 0 : null,
            ">=" => Compare(left, right) is { } order ? order >= 0 : null,
            _ => null,
        };
    }

    /// <summary>Whether what an expression stands for is a value, or one of a set.</summary>
    public bool? Has(JsonElement left, JsonElement right)
    {
        if (IsAbsent(left))
            return false;
        switch (right.ValueKind)
        {
            case JsonValueKind.String when right.GetString() is ['@', .. var name]:
                return setOf(name) is { } set ? Any(left, set) : null;
            case JsonValueKind.String or JsonValueKind.Number:
                return ValueOf(left) is { } value ? IsAs(value, NftJson.Words(right).First()) : null;
            case JsonValueKind.Array:
                return Any(left, right);
            case JsonValueKind.Object:
                var (kind, of) = NftJson.One(right);
                return kind switch
                {
                    "set" or "|" => Any(left, of),
                    "elem" => Has(left, NftJson.Member(of, "val")),
                    "range" => IsWithin(left, of),
                    "concat" => AreAll(NftJson.Member(left, "concat"), of),
                    _ => null,
                };
            default:
                return null;
        }
    }

    private bool? Any(JsonElement left, JsonElement values)
    {
        bool? any = false;
        foreach (var value in NftJson.Items(values))
        {
            // A map's elements are pairs.
            bool? has = Has(left, value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 2 ? value[0] : value);
            if (has == true)
                return true;
            if (has is null)
                any = null;
        }

        return any;
    }

    private bool? AreAll(JsonElement lefts, JsonElement rights)
    {
        bool? all = true;
        foreach (var (left, right) in NftJson.Items(lefts).Zip(NftJson.Items(rights)))
        {
            bool? has = Has(left, right);
            if (has == false)
                return false;
            if (has is null)
                all = null;
        }

        return all;
    }

    private bool? IsWithin(JsonElement left, JsonElement range) =>
        NftJson.Items(range).ToArray() is [var from, var to] && Compare(left, from) is { } low && Compare(left, to) is { } high
            ? low >= 0 && high <= 0 : null;

    private int? Compare(JsonElement left, JsonElement right) =>
        right.ValueKind == JsonValueKind.Number && right.TryGetInt64(out long number)
            && long.TryParse(ValueOf(left), CultureInfo.InvariantCulture, out long value) ? value.CompareTo(number) : null;

    private static bool IsAs(string value, string wanted) =>
        value == wanted || (wanted is [.. var beginning, '*'] && value.StartsWith(beginning, StringComparison.Ordinal));

    /// <summary>It asks for a header that the packet does not have: then the rule is none for it, whatever the comparison.</summary>
    private bool IsAbsent(JsonElement left)
    {
        var (kind, of) = NftJson.One(left);
        if (kind is "concat" or "&" or "|" or "^" or "<<" or ">>")
            return NftJson.Items(of).Any(IsAbsent);
        if (kind != "payload")
            return false;
        return NftJson.Text(of, "protocol") switch
        {
            "ip" or "igmp" => packet.Version != 4,
            "icmp" => packet.Version != 4 || packet.Protocol is not null,
            "ip6" => packet.Version != 6,
            "icmpv6" => packet.Version != 6 || packet.Protocol is not null,
            "th" => false,
            { } transport when Transports.Contains(transport) => packet.Protocol is { } own && own != transport,
            _ => false,
        };
    }

    /// <summary>As nft writes it; null: not known.</summary>
    private string? ValueOf(JsonElement left)
    {
        var (kind, of) = NftJson.One(left);
        return kind switch
        {
            "meta" => NftJson.Text(of, "key") switch
            {
                "iifname" or "iif" => packet.Device,
                "nfproto" => packet.Version == 4 ? "ipv4" : "ipv6",
                "protocol" => packet.Version == 4 ? "ip" : "ip6",
                "l4proto" => packet.Protocol,
                "mark" => IsMarked ? null : "0",
                _ => null,
            },
            "ct" => NftJson.Text(of, "key") switch
            {
                "state" => "new",
                "status" => packet.IsTurned || packet.IsSentAway ? "dnat" : "",
                "direction" => "original",
                "mark" => IsMarked ? null : "0",
                _ => null,
            },
            "payload" => ValueOfHeader(NftJson.Text(of, "protocol"), NftJson.Text(of, "field")),
            "&" => And(of),
            "fib" when NftJson.Text(of, "result") == "type" && NftJson.Words(NftJson.Member(of, "flags")).Contains("daddr") =>
                packet.IsTurned ? "local" : "unicast",
            _ => null,
        };
    }

    /// <summary>Bits of a number; what is not known has none that are.</summary>
    private string? And(JsonElement parts) =>
        NftJson.Items(parts).ToArray() is [var number, var mask]
            && long.TryParse(ValueOf(number), CultureInfo.InvariantCulture, out long value)
            && mask.ValueKind == JsonValueKind.Number && mask.TryGetInt64(out long bits)
                ? (value & bits).ToString(CultureInfo.InvariantCulture) : null;

    private string? ValueOfHeader(string? header, string? field) => (header, field) switch
    {
        ("ip", "protocol") or ("ip6", "nexthdr") => packet.Protocol,
        ({ } transport, "dport") when Transports.Contains(transport) && packet.Protocol is not null =>
            packet.Port?.ToString(CultureInfo.InvariantCulture),
        _ => null,
    };
}
