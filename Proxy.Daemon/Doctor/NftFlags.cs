using System.Text.Json;

namespace TorBalancer.Daemon.Doctor;

/// <summary>
/// What rules ask of a TCP packet's flags (tcp flags), for the first packet of a connection: SYN alone, and beside it ECE and CWR where its
/// host offers congestion notification (RFC 3168, section 6.1.1), which nobody knows.
/// </summary>
internal static class NftFlags
{
    // In the order of their bits (RFC 9293, section 3.1).
    private static readonly string[] Names = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];

    private const int All = 0xff, Syn = 0x02, Unknown = 0xc0;

    /// <summary>Whether a match's left side is these flags, or some of them.</summary>
    public static bool AreAskedBy(JsonElement left) => NftJson.One(left) switch
    {
        ("payload", var of) => NftJson.Text(of, "protocol") == "tcp" && NftJson.Text(of, "field") == "flags",
        ("&", var parts) => NftJson.Items(parts).FirstOrDefault() is { ValueKind: JsonValueKind.Object } first && AreAskedBy(first),
        _ => false,
    };

    /// <summary>Whether it is so; null: of some first packets, or it is asked in a way that is not known here.</summary>
    public static bool? Fit(JsonElement left, string? op, JsonElement right, Func<string, JsonElement?> setOf)
    {
        int? mask = NftJson.One(left) is ("&", var parts) ? Bits(NftJson.Items(parts).ElementAtOrDefault(1)) : All;
        if (mask is not { } asked)
            return null;
        switch (op)
        {
            case "in":
                return Bits(right) is { } any ? HasAny(asked & any) : null;
            case "!":
                return Bits(right) is { } none ? !HasAny(asked & none) : null;
            case "==":
                return IsOneOf(asked, right, setOf);
            case "!=":
                return !IsOneOf(asked, right, setOf);
            default:
                return null;
        }
    }

    private static bool? HasAny(int bits) => (bits & Syn) != 0 ? true : (bits & Unknown) != 0 ? null : false;

    private static bool? IsOneOf(int mask, JsonElement right, Func<string, JsonElement?> setOf)
    {
        var set = right.ValueKind == JsonValueKind.String && right.GetString() is ['@', .. var name] ? setOf(name)
            : NftJson.One(right) is ("set", var inline) ? inline : null;
        if (set is not { } values)
            return right.ValueKind == JsonValueKind.String && right.GetString()!.StartsWith('@') ? null : IsAs(mask, Bits(right));
        bool? any = false;
        foreach (var value in NftJson.Items(values))
        {
            bool? one = IsAs(mask, Bits(value));
            if (one == true)
                return true;
            any = one is null ? null : any;
        }

        return any;
    }

    private static bool? IsAs(int mask, int? wanted)
    {
        if (wanted is not { } bits)
            return null;
        if ((Syn & mask & ~Unknown) != (bits & ~Unknown))
            return false;

        // Both are set or neither is, and a mask may ask for one that is wanted not.
        return (bits & Unknown & ~mask) != 0 ? false : (mask & Unknown) == 0 ? true : null;
    }

    /// <summary>A flag, several of them, or a number; null: it is none of these.</summary>
    private static int? Bits(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Number:
                return value.TryGetInt32(out int number) ? number : null;
            case JsonValueKind.String:
                int bit = Array.IndexOf(Names, value.GetString() == "ece" ? "ecn" : value.GetString());
                return bit < 0 ? null : 1 << bit;
            case JsonValueKind.Array:
                int? all = 0;
                foreach (var one in value.EnumerateArray())
                    all |= Bits(one);
                return all;
            case JsonValueKind.Object:
                return NftJson.One(value) is ("|", var of) ? Bits(of) : NftJson.One(value) is ("elem", var elem)
                    ? Bits(NftJson.Member(elem, "val")) : null;
            default:
                return null;
        }
    }
}
