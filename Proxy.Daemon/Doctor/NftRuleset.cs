using System.Globalization;
using System.Net;
using System.Text.Json;
using TorBalancer.Primitives;

using IptablesRules = System.Collections.Generic.Dictionary<
    (string Family, string Table, string Chain), System.Collections.Generic.List<TorBalancer.Daemon.Doctor.IptablesRule>>;

namespace TorBalancer.Daemon.Doctor;

/// <summary>
/// The rules of nftables that are loaded, all tables of them, and what becomes of a packet by them (nft(8), libnftables-json(5)). What is
/// not known here (some matches of iptables, sets that fill by themselves) makes a rule hold for some packets only.
/// </summary>
internal sealed class NftRuleset
{
    // NFT_JUMP_STACK_SIZE of the kernel.
    private const int DeepestJump = 16;

    // More than anybody writes into one rule; a set of all ports is no list of examples.
    private const int MostPorts = 32;

    private const int MostShown = 4;

    private readonly Dictionary<string, List<Rule>> _rules = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JsonElement> _sets = new(StringComparer.Ordinal);
    private readonly List<NftChain> _chains = [];

    private readonly Func<IPAddress, bool> _isOwn;

    private NftRuleset(JsonElement all, Func<IPAddress, bool> isOwn, IptablesRules? iptables)
    {
        _isOwn = isOwn;
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

        // Nothing in what nft writes names a rule of theirs: they are told by their place, where both know of as many.
        foreach (var (id, rules) in _rules)
        {
            string[] place = id.Split('\0');
            if (iptables?.GetValueOrDefault((place[0], place[1], place[2])) is { } theirs && theirs.Count == rules.Count)
            {
                foreach (var (i, rule) in rules.Index())
                    rule.Iptables = theirs[i];
            }
        }

        // Called in this order; those of one priority in the order in which they were made.
        _chains = [.. _chains.OrderBy(static chain => chain.Priority)];
        var expressions = _rules.Values.SelectMany(static rules => rules).Select(static rule => rule.Expressions).ToList();
        Devices = [.. expressions.SelectMany(rule => WordsFor(rule, "iifname", "iif")).Where(static name => name != "lo").Distinct()];
        TurnedPorts =
        [
            .. expressions.Where(static rule => NftJson.Items(rule).Select(NftJson.One).Any(static one => IsTurn(one.Name, one.Value)))
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
    /// <param name="isOwn">Whether an address is this machine's; null: those of loopback are.</param>
    /// <param name="iptables">Those of its rules that iptables has made, in its words; null: there are none.</param>
    public static NftRuleset Read(string json, Func<IPAddress, bool>? isOwn = null, IptablesRules? iptables = null)
    {
        using var document = JsonDocument.Parse(json);
        var all = NftJson.Member(document.RootElement, "nftables");
        return all.ValueKind == JsonValueKind.Array
            ? new NftRuleset(all.Clone(), isOwn ?? IPAddress.IsLoopback, iptables) : throw new JsonException("it has no member nftables");
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
            if (rule.Device is { } device && device != walking.Packet.Device)
                continue;
            bool? fits = true;
            foreach (var (kind, of) in NftJson.Items(rule.Expressions).Select(NftJson.One))
            {
                walking.Matcher.IsMarked |= SetsMark(kind, of);
                if (kind == "vmap")
                {
                    foreach (var (verdict, isSure) in VerdictsOf(walking.Matcher, of))
                    {
                        var ended = Decide(verdict, rule.Iptables, fits == true && isSure);
                        if (ended is { } falls)
                            return falls;
                    }
                }
                else if (FitsStatement(walking, kind, of, rule.Iptables) is not true and var one)
                {
                    if (one == false)
                        break;
                    fits = null;
                }
                else if (Decide((kind, of), rule.Iptables, fits == true) is { } falls)
                    return falls;
            }
        }

        return true;

        // Null: a packet may still come to the next rule.
        bool? Decide((string Kind, JsonElement Of) verdict, IptablesRule? iptables, bool isSure)
        {
            switch (verdict.Kind)
            {
                case "accept" or "queue":
                    walking.Ends.Add(new NftEnd(NftFate.Accept));
                    break;
                case "drop" or "reject":
                    walking.Ends.Add(new NftEnd(NftFate.Drop));
                    break;
                case "dnat":
                    walking.Ends.AddRange(EndsOfDnat(walking, verdict.Of));
                    break;
                case var turn when IsTurn(turn):
                    walking.Ends.Add(new NftEnd(NftFate.Turn, PortOf(verdict.Of, walking.Packet)));
                    break;
                case "xt" when NftJson.Text(verdict.Of, "name") is "REJECT":
                    walking.Ends.Add(new NftEnd(NftFate.Drop));
                    break;
                case "xt" when NftJson.Text(verdict.Of, "name") is "REDIRECT" or "TPROXY" or "DNAT":
                    walking.Ends.AddRange(EndsOfIptables(walking, NftJson.Text(verdict.Of, "name")!, iptables));
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

    private static bool? FitsStatement(Walking walking, string kind, JsonElement of, IptablesRule? iptables) => kind switch
    {
        "match" => walking.Matcher.Fits(of),
        "dnat" or "tproxy" when NftJson.Text(of, "family") is { } family => family == (walking.Packet.Version == 4 ? "ip" : "ip6"),
        "limit" or "quota" or "ct count" or "meter" => null,
        "set" when NftJson.Member(of, "stmt").ValueKind != JsonValueKind.Undefined => null,
        "xt" when NftJson.Text(of, "type") != "target" => NftJson.Text(of, "name") is not { } name ? null
            : name == "comment" ? true : iptables?.Fits(name, walking.Packet),
        _ => true,
    };

    /// <summary>The same of iptables: port 0 and somewhere where its own words are not at hand.</summary>
    private IEnumerable<NftEnd> EndsOfIptables(Walking walking, string target, IptablesRule? rule)
    {
        if (rule?.Target != target)
        {
            return target == "DNAT"
                ? [new NftEnd(NftFate.Turn), new NftEnd(NftFate.Away, To: "one that nft does not show")] : [new NftEnd(NftFate.Turn)];
        }

        string? to = rule.TargetOption(target switch { "REDIRECT" => "to-ports", "TPROXY" => "on-port", _ => "to-destination" });
        if (target != "DNAT")
            return [new NftEnd(NftFate.Turn, PortOf(to, walking.Packet))];
        if (to is null || to.StartsWith(':'))
            return [new NftEnd(NftFate.Away, PortOf(to?[1..], walking.Packet), "the one it was sent to")];
        bool hasPort = AddressLiteral.TryParseEndPoint(to, out var endPoint);
        string host = to.StartsWith('[') && to.EndsWith(']') ? to[1..^1] : to;
        var address = hasPort ? endPoint!.Address : AddressLiteral.TryParse(host, out var alone) ? alone : null;
        int port = hasPort ? endPoint!.Port : walking.Packet.Port ?? 0;
        return [address is not null && _isOwn(address) ? new NftEnd(NftFate.Turn, port) : new NftEnd(NftFate.Away, port, to)];
    }

    private static int PortOf(string? ports, NftPacket packet) => ports is null ? packet.Port ?? 0
        : int.TryParse(ports, NumberStyles.None, CultureInfo.InvariantCulture, out int port) ? port : 0;

    /// <summary>To this machine, to another one, or to either where an expression decides.</summary>
    private List<NftEnd> EndsOfDnat(Walking walking, JsonElement dnat)
    {
        int port = PortOf(dnat, walking.Packet);
        var to = NftJson.Member(dnat, "addr");

        // Without an address only the port is another one.
        if (to.ValueKind == JsonValueKind.Undefined)
            return [walking.Packet.IsTurned ? new NftEnd(NftFate.Turn, port) : new NftEnd(NftFate.Away, port, "the one it was sent to")];
        string[] words = [.. NftJson.Results(to, walking.Matcher.SetOf)];
        IPAddress?[] addresses = [.. words.Select(static word => AddressLiteral.TryParse(word, out var address) ? address : null)];
        var others = words.Where((_, i) => addresses[i] is not { } address || !_isOwn(address)).Take(MostShown).ToList();
        List<NftEnd> ends = [];
        if (words.Length == 0 || others.Count > 0)
            ends.Add(new NftEnd(NftFate.Away, port, others.Count > 0 ? string.Join(", ", others) : "one that an expression decides"));
        if (Array.Exists(addresses, address => address is not null && _isOwn(address)))
            ends.Add(new NftEnd(NftFate.Turn, port));
        return ends;
    }

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
        list.Add(new Rule(expressions));
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

    private static bool IsTurn(string statement, JsonElement of) =>
        IsTurn(statement) || (statement == "xt" && NftJson.Text(of, "name") is "REDIRECT" or "DNAT" or "TPROXY");

    private static bool SetsMark(string statement, JsonElement of) => statement switch
    {
        "mangle" => NftJson.Text(NftJson.One(NftJson.Member(of, "key")).Value, "key") == "mark",
        "xt" => NftJson.Text(of, "name") is "MARK" or "CONNMARK",
        _ => false,
    };

    private static bool IsFilledLater(JsonElement set) =>
        NftJson.Words(NftJson.Member(set, "flags")).Any(static flag => flag is "dynamic" or "timeout");

    /// <summary>What it is made of, as nft writes it.</summary>
    private sealed class Rule(JsonElement expressions)
    {
        public JsonElement Expressions => expressions;

        /// <summary>
        /// The one interface that it asks for before anything else; null: others too. Of thousands of rules most are of another one, and
        /// each would be looked at for each packet.
        /// </summary>
        public string? Device { get; } =
            NftJson.One(NftJson.Items(expressions).FirstOrDefault()) is ("match", var match) && NftJson.Text(match, "op") == "=="
                && NftJson.One(NftJson.Member(match, "left")) is ("meta", var meta) && NftJson.Text(meta, "key") is "iifname" or "iif"
                && NftJson.Text(match, "right") is { Length: > 0 } name && name[0] != '@' && name[^1] != '*' ? name : null;

        /// <summary>The same as iptables writes it; null: it is not of iptables, or cannot be told from others.</summary>
        public IptablesRule? Iptables { get; set; }
    }

    /// <summary>One packet's way through the chains of a table.</summary>
    private sealed record Walking(string Table, NftMatcher Matcher, NftPacket Packet, List<NftEnd> Ends);
}
