using System.Globalization;
using System.Text.Json;

namespace TorBalancer.Daemon.Doctor;

/// <summary>
/// The rules of nftables that are loaded, all tables of them, and what becomes of a packet by them (nft(8), libnftables-json(5)). What is
/// not known here (matches of iptables, sets that fill by themselves) makes a rule hold for some packets only.
/// </summary>
internal sealed class NftRuleset
{
    // NFT_JUMP_STACK_SIZE of the kernel.
    private const int DeepestJump = 16;

    // More than anybody writes into one rule; a set of all ports is no list of examples.
    private const int MostPorts = 32;

    private readonly Dictionary<string, List<JsonElement>> _rules = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JsonElement> _sets = new(StringComparer.Ordinal);
    private readonly List<NftChain> _chains = [];

    private NftRuleset(JsonElement all)
    {
        foreach (var item in NftJson.Items(all))
        {
            var (kind, of) = NftJson.One(item);
            if (kind == "chain" && NftJson.Text(of, "hook") is { } hook)
                _chains.Add(ChainOf(of, hook));
            else if (kind is "set" or "map" && !IsFilledLater(of))
                _sets[Id(of, NftJson.Text(of, "name"))] = NftJson.Member(of, "elem");
            else if (kind == "rule")
                AddRule(Id(of, NftJson.Text(of, "chain")), NftJson.Member(of, "expr"));
        }

        // Called in this order; those of one priority in the order in which they were made.
        _chains = [.. _chains.OrderBy(static chain => chain.Priority)];
        var expressions = _rules.Values.SelectMany(static rules => rules).ToList();
        Devices = [.. expressions.SelectMany(rule => WordsFor(rule, "iifname", "iif")).Where(static name => name != "lo").Distinct()];
        TurnedPorts =
        [
            .. expressions.Where(static rule => NftJson.Items(rule).Any(static one => IsTurn(NftJson.One(one).Name)))
                .SelectMany(rule => WordsFor(rule, "dport"))
                .Select(static word => int.TryParse(word, CultureInfo.InvariantCulture, out int port) ? port : 0)
                .Where(static port => port > 0).Distinct().Take(MostPorts),
        ];
    }

    /// <summary>The interfaces that rules name as those that packets come in by, loopback left out.</summary>
    public IReadOnlyList<string> Devices { get; }

    /// <summary>The ports that rules ask for which turn packets, as far as they name single ones.</summary>
    public IReadOnlyList<int> TurnedPorts { get; }

    /// <summary>Reads what <c>nft -j list ruleset</c> writes. Throws <see cref="JsonException"/> for what is none.</summary>
    public static NftRuleset Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        var all = NftJson.Member(document.RootElement, "nftables");
        return all.ValueKind == JsonValueKind.Array ? new NftRuleset(all.Clone()) : throw new JsonException("it has no member nftables");
    }

    /// <summary>What each chain of a hook does with a packet, in the order in which the kernel calls them.</summary>
    public IEnumerable<NftPassage> Pass(NftHook hook, NftPacket packet)
    {
        // Those before have been called by then, and may have marked it.
        bool isMarked = false;
        foreach (var chain in _chains.Where(chain => chain.Hook == NftHook.Prerouting && hook != NftHook.Prerouting))
            Pass(chain, packet, ref isMarked);
        foreach (var chain in _chains.Where(chain => chain.Hook == hook))
        {
            if (Pass(chain, packet, ref isMarked) is { } passage)
                yield return passage;
        }
    }

    /// <summary>Null: the chain is called for the other version.</summary>
    private NftPassage? Pass(NftChain chain, NftPacket packet, ref bool isMarked)
    {
        if (!chain.IsOfVersion(packet.Version))
            return null;
        string table = $"{chain.Family}\0{chain.Table}\0";
        var matcher = new NftMatcher(packet, name => _sets.TryGetValue(table + name, out var set) ? set : null) { IsMarked = isMarked };
        var ends = new List<NftEnd>();
        if (Walk(new Walking(table, matcher, packet, ends), chain.Name, 0))
            ends.Add(new NftEnd(chain.Policy));
        isMarked = matcher.IsMarked;
        return new NftPassage(chain, [.. ends.Distinct()]);
    }

    /// <returns>Whether a packet may come to the chain's end, and go on where it came from.</returns>
    private bool Walk(Walking walking, string chain, int depth)
    {
        bool mayReturn = false;
        foreach (var rule in _rules.GetValueOrDefault(walking.Table + chain) ?? [])
        {
            bool? fits = true;
            foreach (var (kind, of) in NftJson.Items(rule).Select(NftJson.One))
            {
                walking.Matcher.IsMarked |= SetsMark(kind, of);
                if (kind == "vmap")
                {
                    foreach (var (verdict, isSure) in VerdictsOf(walking.Matcher, of))
                    {
                        var ended = Decide(verdict, fits == true && isSure);
                        if (ended is { } falls)
                            return falls;
                    }
                }
                else if (FitsStatement(walking.Matcher, kind, of) is not true and var one)
                {
                    if (one == false)
                        break;
                    fits = null;
                }
                else if (Decide((kind, of), fits == true) is { } falls)
                    return falls;
            }
        }

        return true;

        // Null: a packet may still come to the next rule.
        bool? Decide((string Kind, JsonElement Of) verdict, bool isSure)
        {
            switch (verdict.Kind)
            {
                case "accept" or "queue":
                    walking.Ends.Add(new NftEnd(NftFate.Accept));
                    break;
                case "drop" or "reject":
                    walking.Ends.Add(new NftEnd(NftFate.Drop));
                    break;
                case var turn when IsTurn(turn):
                    walking.Ends.Add(new NftEnd(NftFate.Turn, PortOf(verdict.Of, walking.Packet)));
                    break;
                case "xt" when NftJson.Text(verdict.Of, "name") is "REJECT":
                    walking.Ends.Add(new NftEnd(NftFate.Drop));
                    break;
                case "xt" when NftJson.Text(verdict.Of, "name") is "REDIRECT" or "DNAT" or "TPROXY":
                    walking.Ends.Add(new NftEnd(NftFate.Turn));
                    break;
                case "return":
                    mayReturn = true;
                    break;
                case "jump" or "goto" when depth < DeepestJump && NftJson.Text(verdict.Of, "target") is { } target:
                    bool falls = Walk(walking, target, depth + 1);
                    mayReturn |= falls && verdict.Kind == "goto";
                    if (falls && verdict.Kind == "jump")
                        return null;
                    break;
                default:
                    return null;
            }

            return isSure ? mayReturn : null;
        }
    }

    /// <summary>Those of a verdict map that may be meant, up to the one that surely is.</summary>
    private static IEnumerable<((string Kind, JsonElement Of) Verdict, bool IsSure)> VerdictsOf(NftMatcher matcher, JsonElement vmap)
    {
        var key = NftJson.Member(vmap, "key");
        var data = NftJson.Member(vmap, "data");
        var pairs = data.ValueKind == JsonValueKind.Object ? NftJson.Member(data, "set")
            : data.ValueKind == JsonValueKind.String ? matcher.SetOf(data.GetString()!.TrimStart('@')) ?? default : default;
        foreach (var pair in NftJson.Items(pairs).Where(static pair => pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2))
        {
            bool? has = matcher.Has(key, pair[0]);
            if (has != false)
                yield return (NftJson.One(pair[1]), has == true);
            if (has == true)
                yield break;
        }
    }

    private static bool? FitsStatement(NftMatcher matcher, string kind, JsonElement of) => kind switch
    {
        "match" => matcher.Fits(of),
        "limit" or "quota" or "ct count" or "meter" => null,
        "set" when NftJson.Member(of, "stmt").ValueKind != JsonValueKind.Undefined => null,
        "xt" when NftJson.Text(of, "type") != "target" => null,
        _ => true,
    };

    /// <summary>Where it turns to: without a port of its own, to the one that the packet goes to; 0: it does not show.</summary>
    private static int PortOf(JsonElement statement, NftPacket packet)
    {
        var port = NftJson.Member(statement, "port");
        return port.ValueKind switch
        {
            JsonValueKind.Undefined => packet.Port ?? 0,
            JsonValueKind.Number when port.TryGetInt32(out int number) => number,
            _ => 0,
        };
    }

    /// <summary>What a rule compares a key of meta, or a field of a header, with.</summary>
    private IEnumerable<string> WordsFor(JsonElement rule, params string[] keys)
    {
        foreach (var (kind, of) in NftJson.Items(rule).Select(NftJson.One))
        {
            var left = NftJson.One(NftJson.Member(of, kind == "vmap" ? "key" : "left")).Value;
            if (kind is not ("match" or "vmap") || !keys.Contains(NftJson.Text(left, "key") ?? NftJson.Text(left, "field")))
                continue;
            var right = NftJson.Member(of, kind == "vmap" ? "data" : "right");
            var named = right.ValueKind == JsonValueKind.String && right.GetString() is ['@', .. var name]
                ? _sets.Where(one => one.Key.EndsWith("\0" + name, StringComparison.Ordinal)).Select(static one => one.Value) : [right];
            foreach (string word in named.SelectMany(static value => FirstWords(value)))
                yield return word;
        }
    }

    /// <summary>Of a map's pairs, what is looked up.</summary>
    private static IEnumerable<string> FirstWords(JsonElement value)
    {
        var list = value.ValueKind == JsonValueKind.Object ? NftJson.Member(value, "set") : value;
        return list.ValueKind != JsonValueKind.Array ? NftJson.Words(value)
            : list.EnumerateArray().SelectMany(
                static item => NftJson.Words(item.ValueKind == JsonValueKind.Array && item.GetArrayLength() == 2 ? item[0] : item));
    }

    private void AddRule(string id, JsonElement expressions)
    {
        if (!_rules.TryGetValue(id, out var list))
            _rules[id] = list = [];
        list.Add(expressions);
    }

    private static NftChain ChainOf(JsonElement chain, string hook) => new(
        NftJson.Text(chain, "family") ?? "", NftJson.Text(chain, "table") ?? "", NftJson.Text(chain, "name") ?? "",
        hook switch
        {
            "prerouting" => NftHook.Prerouting,
            "input" => NftHook.Input,
            "forward" => NftHook.Forward,
            _ => NftHook.Other,
        },
        NftJson.Member(chain, "prio") is { ValueKind: JsonValueKind.Number } priority ? priority.GetInt32() : 0,
        NftJson.Text(chain, "type") == "nat",
        NftJson.Text(chain, "policy") == "drop" ? NftFate.Drop : NftFate.Accept);

    private static string Id(JsonElement item, string? name) => $"{NftJson.Text(item, "family")}\0{NftJson.Text(item, "table")}\0{name}";

    private static bool IsTurn(string statement) => statement is "redirect" or "dnat" or "tproxy";

    private static bool SetsMark(string statement, JsonElement of) => statement switch
    {
        "mangle" => NftJson.Text(NftJson.One(NftJson.Member(of, "key")).Value, "key") == "mark",
        "xt" => NftJson.Text(of, "name") is "MARK" or "CONNMARK",
        _ => false,
    };

    private static bool IsFilledLater(JsonElement set) =>
        NftJson.Words(NftJson.Member(set, "flags")).Any(static flag => flag is "dynamic" or "timeout");

    /// <summary>One packet's way through the chains of a table.</summary>
    private sealed record Walking(string Table, NftMatcher Matcher, NftPacket Packet, List<NftEnd> Ends);
}
