using System.Globalization;
using System.Text.Json;

namespace TorBalancer.Daemon.Doctor;

/// <summary>Where the kernel calls a chain that it calls itself.</summary>
internal enum NftHook : byte
{
    /// <summary>Another one than these.</summary>
    Other,
    Prerouting,
    Input,
    Forward,
}

/// <summary>
/// One rule of nftables, as far as a gateway's matter: where it stands, what it is asked of, what becomes of it
/// (libnftables-json(5)).
/// </summary>
/// <param name="Family">ip, ip6 or inet, which is both.</param>
/// <param name="Table">The table's name.</param>
/// <param name="Hook">Of the chain, or of the one that jumps to it.</param>
/// <param name="Interface">The one that packets come in by; null: it does not ask.</param>
/// <param name="Protocols">tcp, udp; empty: it does not ask.</param>
/// <param name="Ports">Where packets go; empty: it does not ask, or it asks for a set of many.</param>
/// <param name="IsConditional">It asks for something else besides.</param>
/// <param name="Turns">The port of this machine that it turns connections to; null: it does not.</param>
/// <param name="Drops">It drops or rejects.</param>
internal sealed record NftRule(
    string Family, string Table, NftHook Hook, string? Interface, IReadOnlyList<string> Protocols, IReadOnlyList<int> Ports,
    bool IsConditional, int? Turns, bool Drops)
{
    private const int DeepestJump = 4;

    /// <summary>Several that packets come in by.</summary>
    private List<string> AnyOf { get; init; } = [];

    /// <summary>It is asked of packets of this version of the Internet Protocol, 4 or 6.</summary>
    public bool IsOfVersion(int version) => Family == "inet" || Family == (version == 4 ? "ip" : "ip6");

    public bool IsOfProtocol(string protocol) => Protocols.Count == 0 || Protocols.Contains(protocol);

    /// <summary>
    /// The rules of <c>nft -j list ruleset</c> that packets come to, each in the light of what stands in the rule that leads to it. Throws
    /// <see cref="JsonException"/> for what is none.
    /// </summary>
    public static IReadOnlyList<NftRule> Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("nftables", out var all) || all.ValueKind != JsonValueKind.Array)
            throw new JsonException("it has no member nftables");
        var chains = new List<(string Id, string Family, NftHook Hook)>();
        var rules = new Dictionary<string, List<JsonElement>>(StringComparer.Ordinal);
        foreach (var item in all.EnumerateArray())
        {
            if (item.TryGetProperty("chain", out var chain))
            {
                if (Text(chain, "hook") is { } hook)
                    chains.Add((Id(chain, "name"), Text(chain, "family") ?? "", HookOf(hook)));
            }
            else if (item.TryGetProperty("rule", out var rule) && rule.TryGetProperty("expr", out var expressions))
            {
                string id = Id(rule, "chain");
                if (!rules.TryGetValue(id, out var list))
                    rules[id] = list = [];
                list.Add(expressions);
            }
        }

        var found = new List<NftRule>();
        foreach (var (id, family, hook) in chains.Where(static chain => chain.Hook != NftHook.Other))
            AddChain(id, new NftRule(family, id.Split('\0')[1], hook, null, [], [], false, null, false), 0);
        return found;

        void AddChain(string id, NftRule before, int depth)
        {
            foreach (var expressions in rules.GetValueOrDefault(id) ?? [])
            {
                var (whole, target) = Read(expressions, before);
                foreach (var rule in whole.OfEachInterface())
                {
                    if (target is null)
                        found.Add(rule);
                    else if (depth < DeepestJump)
                        AddChain(id[..(id.LastIndexOf('\0') + 1)] + target, rule, depth + 1);
                }
            }
        }
    }

    /// <returns>And the chain that it jumps to; null: none.</returns>
    private static (NftRule Rule, string? Jump) Read(JsonElement expressions, NftRule before)
    {
        var rule = before;
        string? target = null;
        foreach (var expression in expressions.EnumerateArray())
        {
            if (expression.ValueKind != JsonValueKind.Object || expression.EnumerateObject().FirstOrDefault() is not { Name: { } name } one)
                continue;
            switch (name)
            {
                case "match":
                    rule = Match(one.Value, rule);
                    break;
                case "drop" or "reject":
                    rule = rule with { Drops = true };
                    break;
                case "redirect" or "tproxy" when one.Value.ValueKind == JsonValueKind.Object:
                    rule = rule with { Turns = PortOf(one.Value) };
                    break;
                case "jump" or "goto":
                    target = Text(one.Value, "target");
                    break;
                case "limit" or "quota" or "vmap":
                    rule = rule with { IsConditional = true };
                    break;
            }
        }

        return (rule, target);
    }

    /// <summary>A rule for a set of interfaces is one for each.</summary>
    private IEnumerable<NftRule> OfEachInterface() =>
        AnyOf.Count == 0 ? [this] : AnyOf.Select(one => this with { Interface = one, AnyOf = [] });

    private static int PortOf(JsonElement statement) =>
        statement.TryGetProperty("port", out var port) && port.ValueKind == JsonValueKind.Number && port.TryGetInt32(out int number)
            ? number : 0;

    private static NftRule Match(JsonElement match, NftRule rule)
    {
        bool isEqual = Text(match, "op") is "==" or "in";
        if (!match.TryGetProperty("left", out var left) || !match.TryGetProperty("right", out var right) || !isEqual)
            return rule with { IsConditional = true };
        string? key = left.TryGetProperty("meta", out var meta) ? Text(meta, "key") : null;
        var words = Words(right);
        if (key is "iifname" or "iif" && words.Count == 1)
            return rule with { Interface = words[0] };
        if (key is "iifname" or "iif" && words.Count > 1)
            return rule with { AnyOf = words };
        if (key == "nfproto" && words is ["ipv4" or "ipv6"])
            return rule with { Family = words[0] == "ipv4" ? "ip" : "ip6" };
        if (key == "l4proto" && words.Count > 0)
            return rule with { Protocols = words };
        if (left.TryGetProperty("payload", out var payload) && Text(payload, "field") == "dport"
            && Text(payload, "protocol") is { } protocol)
        {
            int[] ports =
            [
                .. words.Select(static word => int.TryParse(word, CultureInfo.InvariantCulture, out int port) ? port : 0)
                    .Where(static port => port > 0),
            ];
            return rule with
            {
                Ports = ports,
                Protocols = protocol == "th" ? rule.Protocols : [protocol],
                IsConditional = rule.IsConditional || ports.Length == 0,
            };
        }

        return rule with { IsConditional = true };
    }

    /// <summary>One word or number, or those of a set.</summary>
    private static List<string> Words(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Number => [value.GetRawText()],
        JsonValueKind.Array => [.. value.EnumerateArray().SelectMany(Words)],
        JsonValueKind.Object when value.TryGetProperty("set", out var set) => Words(set),
        _ => [],
    };

    private static NftHook HookOf(string word) => word switch
    {
        "prerouting" => NftHook.Prerouting,
        "input" => NftHook.Input,
        "forward" => NftHook.Forward,
        _ => NftHook.Other,
    };

    private static string Id(JsonElement item, string name) => $"{Text(item, "family")}\0{Text(item, "table")}\0{Text(item, name)}";

    private static string? Text(JsonElement item, string name) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString() : null;
}
